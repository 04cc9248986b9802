#!/bin/bash
# One node of Kubernetes. It is process 1 of a process and mount namespace of its own, so that everything here ends with it.
# Environment: DIR (scratch folder, with what cluster.go wrote), BIN, ETCD, ETCD_PEER, API, KUBELET (ports).
cd "$DIR" || exit 1
# kubelet and the network plugins want these sysctls so, and find them so: the machine's own stay as they are.
i=0
for s in vm/overcommit_memory=1 vm/panic_on_oom=0 kernel/panic=10 kernel/panic_on_oops=1 kernel/keys/root_maxkeys=1000000 \
	kernel/keys/root_maxbytes=25000000 net/ipv4/ip_forward=1; do
	i=$((i + 1)); echo "${s#*=}" >"sysctl.$i"; mount --bind "sysctl.$i" "/proc/sys/${s%=*}" || exit 1
done
mkdir -p run /run/netns && mount --bind run /run/netns || exit 1

ends() { "$@" & pids+=($!); }
pids=()
ends etcd --data-dir etcd --listen-client-urls "http://127.0.0.1:$ETCD" --advertise-client-urls "http://127.0.0.1:$ETCD" \
	--listen-peer-urls "http://127.0.0.1:$ETCD_PEER" --initial-advertise-peer-urls "http://127.0.0.1:$ETCD_PEER" \
	--initial-cluster "default=http://127.0.0.1:$ETCD_PEER" --unsafe-no-fsync >etcd.log 2>&1
ends "$BIN/kube-apiserver" --etcd-servers="http://127.0.0.1:$ETCD" --bind-address=127.0.0.1 --advertise-address=127.0.0.1 --secure-port="$API" \
	--tls-cert-file=pki/apiserver.crt --tls-private-key-file=pki/apiserver.key --client-ca-file=pki/ca.crt \
	--service-account-key-file=pki/sa.pub --service-account-signing-key-file=pki/sa.key --service-account-issuer="https://127.0.0.1:$API" \
	--authorization-mode=Node,RBAC --service-cluster-ip-range=10.0.0.0/24 --endpoint-reconciler-type=none \
	--kubelet-client-certificate=pki/kclient.crt --kubelet-client-key=pki/kclient.key --kubelet-certificate-authority=pki/ca.crt \
	--kubelet-preferred-address-types=Hostname --disable-admission-plugins=ServiceAccount \
	--audit-policy-file=audit.yaml --audit-log-path=audit.log >apiserver.log 2>&1
ends containerd -c containerd.toml >containerd.log 2>&1
ctr() { command ctr -a containerd.sock -n k8s.io "$@"; }
node() {
	until ctr version >/dev/null 2>&1; do sleep 0.1; done
	ctr images import image.tar >import.log 2>&1 || exit 1
	exec "$BIN/kubelet" --config=kubelet.yaml --kubeconfig=kubelet.kubeconfig --hostname-override=localhost --root-dir="$DIR/kubelet" --cert-dir="$DIR/kubelet/pki"
}
ends node >kubelet.log 2>&1
wait -n "${pids[@]}" # whichever ends first is a fault; process 1 reaps the pods' orphans meanwhile
exit 1
