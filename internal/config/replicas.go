package config

// Replicas says that several control planes share one Database and one folder. All or none of it is set.
type Replicas struct {
	// Name is this replica's, unlike any other's and the same after a restart.
	Name string `yaml:"name"`
	// Folder is shared: keys, the transparency log and, without a bucket, records are in it. Its file system must have
	// locks that hold between the replicas (flock): a local disk, NFS 4, CephFS.
	Folder string `yaml:"folder"`
	// Listen is host:port for the other replicas, over TLS with keys that they know from the database.
	Listen string `yaml:"listen"`
	// Address is what they dial; default Listen.
	Address string `yaml:"address"`
}

// Set reports whether there may be several control planes.
func (r Replicas) Set() bool { return r != Replicas{} }

// complete makes the paths absolute.
func (r *Replicas) complete(dir string) {
	anchor(dir, &r.Folder)
	if r.Set() {
		setDefault(&r.Address, r.Listen)
	}
}

func (c *Config) validateReplicas(p *problems) {
	r := c.Replicas
	if !r.Set() {
		return
	}
	if !nameOK.MatchString(r.Name) {
		p.addf("replicas.name", "%s", nameRule)
	}
	if r.Folder == "" {
		p.addf("replicas.folder", "is missing: the folder that all replicas share")
	}
	if r.Listen == "" {
		p.addf("replicas.listen", "is missing: host:port for the other replicas")
	} else {
		p.hostPort("replicas.listen", r.Listen, true)
		p.hostPort("replicas.address", r.Address, true)
	}
	if c.Database == "" {
		p.addf("database", "is missing: replicas share a PostgreSQL database")
	}
}

// sharedDir is where replicas keep what they share; the data folder when there is one control plane.
func (c *Config) sharedDir() string {
	if c.Replicas.Set() {
		return c.Replicas.Folder
	}
	return c.Data
}
