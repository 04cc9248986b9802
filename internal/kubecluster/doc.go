// Package kubecluster runs a real Kubernetes of one node, without a system service: etcd,
// kube-apiserver, containerd and kubelet with real pods of a busybox image. `make test-kube` and
// the benchmark use it; the gateway itself does not.
//
// kube-apiserver and kubelet are built from their own module, pinned by go.sum, once: Ensure takes
// some eleven minutes of two cores the first time and nothing afterwards. etcd, containerd, runc and the
// rest are the distribution's (internal/tools -kube installs them).
//
// Everything that Start starts lives in a process and mount namespace of its own, so that the kernel ends
// all of it, the pods and their mounts as well, when this process ends, however that happens. What kubelet
// would set of the machine's sysctls it finds set already: it sees files of ours in their place.
//
// A test asks for the cluster so:
//
//	tools, err := kubecluster.Ensure(ctx, "../../../.tools", os.Stderr)
//	c, err := kubecluster.Start(ctx, tools)
//	defer c.Stop()
//	err = c.Pod(ctx, "default", "shell")           // a busybox that sleeps, Ready
//	out, err := c.Kubectl(ctx, "get", "pods", "-A") // as cluster-admin
//	cert, key, err := c.ClientCert("someone", "group")
//
// c.Server is the API's address, c.CAFile its authority, c.Kubeconfig an administrator's, and c.AuditLog
// is where the API server writes who did what, impersonation included. There is no controller manager:
// nothing makes pods of a Deployment, or empties a namespace that is deleted.
package kubecluster
