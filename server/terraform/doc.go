// Package terraform renders a hypervisor's config: Terraform, and what its
// agent must know beside it, each guest's cloud-init seed included, as one tar.
//
// It promises that a config depends on nothing but its [Input]: the same input
// gives the same bytes, and the digest does not contain the revision. Whatever
// people typed gets into HCL, YAML and JSON through an encoder of that format,
// so it is a value and never code. It does no I/O.
//
// What terraform does when a config changes is decided by what is in a block
// and what is left out, and that is what facts and tests here are about: a VM
// without a domain keeps the very same blocks of its disks.
//
// It does not check what people may type (model.Validate) and does not decide
// which disks are kept (model.Placements).
package terraform
