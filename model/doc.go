// Package model is the domain of homelab: what people wrote (the desired
// state), what machines report (the observed state), and the pure functions
// that decide between the two.
//
// It promises to do no I/O and to import nothing but the standard library.
// A [State] handed out is immutable: an [Edit] works on a clone, replaces
// values in its maps and never writes into a slice it found there.
//
// It does not know how states are kept (model/store), how they become
// Terraform (server/terraform) or how they are drawn (tui).
package model
