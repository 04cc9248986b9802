package sysmon

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestCalm: one thread has the slack, which is not the main one.
func TestCalm(t *testing.T) {
	if err := Calm(); err != nil {
		t.Fatal(err)
	}
	tid, err := monitor()
	if err != nil || tid == os.Getpid() {
		t.Fatal(tid, err)
	}
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/timerslack_ns", tid))
	if err != nil || strings.TrimSpace(string(b)) != fmt.Sprint(slack) {
		t.Errorf("%q %v", b, err)
	}
}
