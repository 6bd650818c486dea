//go:build unix

package state

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"
)

// checkAccess refuses what another user owns or may use.
func checkAccess(info fs.FileInfo, allowed fs.FileMode, uid int) error {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return errors.New("the system does not tell who owns it")
	}
	if int(stat.Uid) != uid {
		return fmt.Errorf("it belongs to the user with id %d, want %d, who runs the exporter", stat.Uid, uid)
	}
	if mode := info.Mode().Perm(); mode&^allowed != 0 {
		return fmt.Errorf("its mode is %04o, want %04o, so that nobody else can use it", mode, allowed)
	}
	return nil
}
