package main

// #cgo CFLAGS: -O2 -Wall -Wextra -Werror
// #include "abi.h"
import "C"

// main is never called: the module is a shared object.
func main() {}
