package salt

// SetupMaster is what Setup writes for.
type SetupMaster struct {
	Master
	Serves  string // model.ServesVMs or model.ServesHypervisors
	Address string // that minions use
}

// SetupOptions are what Setup must know of the server.
type SetupOptions struct {
	User      string   // who the server runs as, on its own machine
	PublicKey string   // of Master.Identity, as an authorized_keys line; empty if ssh is not used
	Roles     []string // grains to begin top.sls with
}

// Setup says what to put where so that a master works with us. It changes
// nothing.
func Setup(m SetupMaster, o SetupOptions) string { return "" }
