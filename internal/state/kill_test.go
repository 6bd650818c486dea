//go:build unix

package state

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"reflect"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/aws-iam-exporter/aws_iam_exporter/internal/inventory"
)

// The test binary, started again as a child, saves in the directory that one of
// these names: two snapshots in turn until it is killed, or one with no room
// for it.
const (
	saveForever = "STATE_TEST_SAVE_FOREVER"
	saveLimited = "STATE_TEST_SAVE_LIMITED"
)

func TestMain(m *testing.M) {
	var err error
	switch forever, limited := os.Getenv(saveForever), os.Getenv(saveLimited); {
	case forever != "":
		err = saveInTurn(forever)
	case limited != "":
		err = saveWithoutRoom(limited)
	default:
		os.Exit(m.Run())
	}
	fmt.Fprint(os.Stderr, err)
	os.Exit(1)
}

// saveInTurn reports the beginning of each save by a line.
func saveInTurn(dir string) error {
	store, err := Open(dir)
	for i := 0; err == nil; i++ {
		fmt.Println("saving")
		err = store.Save(bulky(i % 2))
	}
	return err
}

// saveWithoutRoom has the system refuse to let files grow large, except at the end:
// a process that measures coverage writes some of its own by then.
func saveWithoutRoom(dir string) error {
	signal.Ignore(syscall.SIGXFSZ)
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &before); err != nil {
		return err
	}
	limited := before
	limited.Cur = 4096
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limited); err != nil {
		return err
	}
	store, err := Open(dir)
	if err == nil {
		err = store.Save(bulky(0))
	}
	return errors.Join(err, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &before))
}

// bulky returns one of two snapshots that take a while to write, but not to
// make: most of it is a few long texts.
func bulky(which int) *inventory.Snapshot {
	s := plain()
	value := strings.Repeat(fmt.Sprint(which), 1<<10)
	tags := make(inventory.Tags, 32)
	for i := range tags {
		tags[i] = inventory.Tag{Key: fmt.Sprint(i), Value: value}
	}
	s.Users[0].Tags = known(tags)
	return s
}

// victim is a child that saves until it is killed.
type victim struct {
	cmd    *exec.Cmd
	out    *bufio.Reader
	stderr strings.Builder
}

func startVictim(t *testing.T, dir string) *victim {
	t.Helper()
	v := &victim{cmd: child(t, saveForever, dir)}
	v.cmd.Stderr = &v.stderr
	pipe, err := v.cmd.StdoutPipe()
	if err == nil {
		err = v.cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	v.out = bufio.NewReader(pipe)
	return v
}

func child(t *testing.T, task, dir string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), task+"="+dir)
	return cmd
}

// await returns when the child has begun n more saves.
func (v *victim) await(t *testing.T, n int) {
	t.Helper()
	for range n {
		if _, err := v.out.ReadString('\n'); err != nil {
			_ = v.cmd.Wait()
			t.Fatalf("the child ended by itself: %v\n%s", err, &v.stderr)
		}
	}
}

// kill ends the child by SIGKILL, wherever it is.
func (v *victim) kill(t *testing.T) {
	t.Helper()
	if err := v.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, v.out)
	if err := v.cmd.Wait(); v.stderr.Len() > 0 {
		t.Fatalf("the child ended by itself: %v\n%s", err, &v.stderr)
	}
}

// temporary returns the size of the file that is being written; -1 for none.
func temporary(dir string) int64 {
	names, _ := filepath.Glob(filepath.Join(dir, ".*.tmp"))
	for _, name := range names {
		if info, err := os.Stat(name); err == nil {
			return info.Size()
		}
	}
	return -1
}

// until watches the file that the child is writing until it is as wanted. It
// gives up at some time, for there is no bad moment for a kill.
func until(dir string, as func(size int64) bool) {
	for range 2_000 {
		if as(temporary(dir)) {
			return
		}
		runtime.Gosched()
	}
}

// moments lists when to kill a child that writes files of so many bytes: at the
// beginning of a save, when the new file is there, when a part of it is
// written, when all of it is, and when it has taken the old one's place.
func moments(dir string, whole int64) []func(part float64) {
	begun := func(size int64) bool { return size >= 0 }
	return []func(part float64){
		func(float64) {},
		func(float64) { until(dir, begun) },
		func(part float64) {
			until(dir, func(size int64) bool { return size >= int64(part*float64(whole)) })
		},
		func(float64) { until(dir, func(size int64) bool { return size == whole }) },
		func(float64) {
			until(dir, begun)
			until(dir, func(size int64) bool { return size < 0 })
		},
	}
}

// TestKilledWhileSaving kills a process that saves two snapshots in turn, again
// and again, and expects one of them whole each time. The build tag long says
// how often.
func TestKilledWhileSaving(t *testing.T) {
	for directory := range killedDirectories {
		t.Run(fmt.Sprint(directory), func(t *testing.T) {
			t.Parallel()
			killWhileSaving(t, killsEach)
		})
	}
}

func killWhileSaving(t *testing.T, kills int) {
	store := open(t)
	var want [2]*inventory.Snapshot
	for i := range want {
		save(t, store, bulky(i))
		var err error
		if want[i], err = store.Load(accountID); err != nil {
			t.Fatal(err)
		}
	}
	moments := moments(store.dir, int64(len(encoded(t, bulky(0)))))
	var found [2]int
	interrupted := 0
	for i := range kills {
		v := startVictim(t, store.dir)
		v.await(t, 1+i/len(moments)%2)
		moments[i%len(moments)](float64(i) / float64(kills))
		v.kill(t)
		if temporary(store.dir) >= 0 {
			interrupted++
		}
		got, err := openAt(t, store.dir).Load(accountID)
		if err != nil {
			t.Fatalf("kill %d: %v", i, err)
		}
		equalFiles(t, store.dir, fileName(accountID))
		which := slices.IndexFunc(want[:], func(s *inventory.Snapshot) bool { return reflect.DeepEqual(got, s) })
		if which < 0 {
			t.Fatalf("kill %d: got neither of the two snapshots", i)
		}
		found[which]++
	}
	t.Logf("%d of %d kills left an unfinished file; the snapshots were found %d times", interrupted, kills, found)
	if interrupted == 0 || found[0] == 0 || found[1] == 0 {
		t.Error("want each of these to happen")
	}
}

// TestNoRoom has a write end in the middle of the file.
func TestNoRoom(t *testing.T) {
	store := open(t)
	save(t, store, plain())
	var said strings.Builder
	cmd := child(t, saveLimited, store.dir)
	cmd.Stderr = &said
	if err := cmd.Run(); err == nil {
		t.Error("the child succeeded, want it to fail")
	}
	temp := regexp.MustCompile(`\.[A-Z2-7]+\.tmp`).ReplaceAllString(said.String(), ".….tmp")
	if want := fmt.Sprintf("save facts to %s: write %s/.123456789012.json.….tmp: file too large", store.path(accountID), store.dir); temp != want {
		t.Errorf("error: got %s, want %s", temp, want)
	}
	equalFiles(t, store.dir, fileName(accountID))
	wantPlain(t, store.dir)
}
