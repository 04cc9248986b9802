// Package faults holds the tests of broken disks, full file tables and clocks that jump, at
// the two places where records are written: the spool of a gateway and the store of the control plane. The faults are real
// ones, made by the kernel; disk.go makes the disks. The rule that they all check: while the fault lasts, an action is refused
// with an error that names it; when it is gone, actions go on without a restart; and no action that reached
// the target is missing from the record.
package faults
