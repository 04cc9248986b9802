package kube

import (
	"testing"

	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/kube"
	"dragoman.dev/dragoman/internal/shell"
)

func TestCredentials(t *testing.T) {
	for line, want := range map[string]bool{
		"env": true, "/usr/bin/env": true, "env | grep A": true, "printenv PASSWORD": true, "cat /proc/1/environ": true, "cat /proc/self/environ": true,
		"cat /var/run/secrets/kubernetes.io/serviceaccount/token": true, "cd /run/secrets; cat kubernetes.io/serviceaccount/token": true,
		"cat /var/run/secrets/*/*/token": true, "tar cf - /run/secrets": true, "tar cf - /run": true, "grep -r x /": true, "cat /var/../run/./secrets/x": true,
		"ls": false, "env A=b ls": false, "cat /proc/cpuinfo": false, "ls /run": false, "tar cf - /srv": false, "cat /srv/run/secrets": false,
	} {
		act := shell.Analyse(action.KindExec, line)
		credentials(&act)
		if got := act.Features[kube.FeatureCredentials] == true; got != want {
			t.Errorf("%s: %v", line, got)
		}
	}
}
