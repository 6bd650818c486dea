//go:build e2e && preview

package e2e

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	ossignal "os/signal" // signal is a function here
	"path/filepath"
	"syscall"
	"testing"
)

const (
	previewFolder  = "../../tools/dashboards/preview"
	picturesFolder = "../../docs/images"
)

// TestPreview draws the dashboards from the stage into PREVIEW_OUT, docs/images
// by default. With PREVIEW_HOLD=1 it draws nothing and keeps the stage up until
// it is interrupted, so that a designer can draw again and again.
func TestPreview(t *testing.T) {
	s := startStage(t)
	if os.Getenv("PREVIEW_HOLD") == "1" {
		ctx, cancel := ossignal.NotifyContext(t.Context(), os.Interrupt, syscall.SIGTERM)
		defer cancel()
		fmt.Printf("Prometheus at %s until process %d is interrupted.\n", s.url, os.Getpid())
		<-ctx.Done()
		return
	}
	files, err := filepath.Glob(dashboardsPattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("find %s: %d files, error %v", dashboardsPattern, len(files), err)
	}
	args := []string{"render.mjs", "--prometheus", s.url, "--out", absolute(t, cmp.Or(os.Getenv("PREVIEW_OUT"), picturesFolder))}
	for _, file := range files {
		args = append(args, "--dashboards", absolute(t, file))
	}
	draw(t, args...)
	// What one sees first, small enough for the top of a document.
	draw(t, append(args, "--dashboard", complianceDashboard, "--theme", "dark", "--top", "720", "--name", "top")...)
}

func draw(t *testing.T, args ...string) {
	t.Helper()
	node := exec.CommandContext(t.Context(), "node", args...)
	node.Dir = previewFolder
	node.Stdout, node.Stderr = os.Stdout, os.Stderr
	if err := node.Run(); err != nil {
		t.Errorf("draw the dashboards: %v (has `npm ci` been run in tools/dashboards/preview?)", err)
	}
}

func absolute(t *testing.T, path string) string {
	t.Helper()
	absolute, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return absolute
}
