package terraform

import (
	"testing"

	"homelab/model"
)

// TestSandboxEdits has a real terraform carry edits out on the sandbox.
func TestSandboxEdits(t *testing.T) {
	tf := newTerraform(t, "domain_type=qemu", "cpu_mode=maximum", "uri=qemu:///system", "seeds=/nowhere")
	s := editsLab(model.PlatformSandbox)
	tf.unpack(t, render(t, s), nil)
	tf.init(t)
	tf.validate(t)
	if len(tf.plan(t)) != 6 {
		t.Fatal("two VMs are not six resources")
	}
	tf.apply(t)
	plan := func(c *Config) map[string]string {
		tf.unpack(t, c, nil)
		return tf.plan(t)
	}
	runEdits(t, s, plan, func() { tf.apply(t) }, func(*testing.T, string) {})
}
