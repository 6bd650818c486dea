package state

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"syscall"
	"testing"
	"unsafe"
)

// TestReadOnlyDirectory saves where nothing can be created.
func TestReadOnlyDirectory(t *testing.T) {
	store := open(t)
	save(t, store, plain())
	if err := os.Chmod(store.dir, 0o500); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(store.dir, 0o700) }) // else nobody but root can clean up
	err := underModes(func() error { return store.Save(rich()) })
	var refused *os.PathError
	if !errors.As(err, &refused) || !errors.Is(err, os.ErrPermission) {
		t.Fatalf("got %v, want a refusal by the system", err)
	}
	equalError(t, "Save", err, fmt.Sprintf("save facts to %s: openat %s: permission denied", store.path(accountID), refused.Path))
	equalFiles(t, store.dir, fileName(accountID))
	wantPlain(t, store.dir)
}

// underModes runs do where the modes of directories hold for root too: in a
// thread that has given up CAP_DAC_OVERRIDE, and ends afterwards.
func underModes(do func() error) error {
	const (
		capabilityVersion3 = 0x20080522
		capDACOverride     = 1 << 1
	)
	header := struct {
		version uint32
		pid     int32
	}{version: capabilityVersion3}
	var data [2]struct{ effective, permitted, inheritable uint32 }
	call := func(number uintptr) error {
		if _, _, errno := syscall.RawSyscall(number, uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(&data)), 0); errno != 0 {
			return errno
		}
		return nil
	}
	result := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlock
		err := call(syscall.SYS_CAPGET)
		data[0].effective &^= capDACOverride
		if err == nil {
			err = call(syscall.SYS_CAPSET)
		}
		if err == nil {
			err = do()
		}
		result <- err
	}()
	return <-result
}
