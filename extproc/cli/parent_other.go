//go:build !linux

package cli

import "syscall"

// dieWithParent ends Envoy with us where the system can do that.
func dieWithParent() *syscall.SysProcAttr { return nil }
