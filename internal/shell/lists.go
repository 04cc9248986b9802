package shell

// class is what programs of a sort do with their operands.
type class struct {
	takes  string // options that have a value
	reads  bool   // operands are read
	writes bool   // operands are written
	last   bool   // only the last operand is written, the others are read (and written with both)
	skip   int    // operands in front that are no paths
	opaque bool
}

func (c class) apply(a *analysis, name string, args []word) {
	a.program(name, c.opaque)
	ops, options := operands(args, c.takes, nil)
	if len(ops) > c.skip {
		ops = ops[c.skip:]
	} else {
		ops = nil
	}
	a.paths(consumed(args, c.takes), c.writes || c.last) // the option may have no value, or a file
	for _, o := range options {
		a.paths([]word{{text: o, known: true}}, true)
	}
	if len(ops) == 0 && listsFolder[name] {
		a.read(".")
	}
	for i, w := range ops {
		a.unknown(w)
		switch {
		case !c.reads && !c.writes && !c.last:
			if w.glob { // names of files
				a.read(w.place())
			}
		case c.last && i == len(ops)-1:
			a.write(w.place())
		case c.last:
			a.read(w.place())
			if c.writes {
				a.write(w.place())
			}
		default:
			if c.reads {
				a.read(w.place())
			}
			if c.writes {
				a.write(w.place())
			}
		}
	}
}

// listsFolder are those that show the working folder when nothing is said.
var listsFolder = words("ls ll dir vdir du tree")

// classes by the names of their programs.
var classes = []struct {
	names string
	class
}{
	{"cat ls ll dir vdir head tail wc stat file du df md5sum sha1sum sha224sum sha256sum sha384sum sha512sum b2sum cksum sum tac nl rev od hexdump hd xxd strings " +
		"readlink realpath basename dirname cmp diff diff3 comm join paste cut fold fmt pr expand unexpand base64 base32 basenc zcat bzcat xzcat zstdcat lz4cat " +
		"getfacl lsattr namei tree column look uniq tsort ldd nm objdump size readelf", class{takes: "ncdfsNbwxjtkmAI", reads: true}},
	{"jq yq", class{takes: "f", skip: 1, reads: true}},
	{"rm rmdir unlink shred touch mkdir truncate mkfifo mknod fallocate tee sponge gzip gunzip bzip2 bunzip2 xz unxz zstd unzstd lz4 compress uncompress",
		class{takes: "mrtdsonu", writes: true}},
	{"chmod chown chgrp chattr setfacl setcap chcon", class{skip: 1, writes: true}},
	{"cp install", class{takes: "mogS", last: true}},
	{"mv rename", class{takes: "S", last: true, writes: true}},
	{"ln link", class{takes: "S", last: true}},
	{"echo printf true false : pwd date cal uptime uname hostname id whoami groups who w users last tty logname arch nproc free vmstat iostat mpstat sar ps pgrep pidof " +
		"lscpu lsblk lsmod lspci lsusb lsof ss netstat seq yes sleep expr bc factor test [ locale getconf getent tput clear reset wait jobs fg bg kill killall pkill type hash which whereis " +
		"exit return break continue shift times ulimit umask set unset shopt read getopts let history dirs true tr numfmt shuf uuidgen mcookie nslookup dig host ping " +
		"traceroute tracepath sync dmesg journalctl loginctl timedatectl hostnamectl localectl printenv disown suspend", class{takes: "", reads: false}},
	{"python python2 python3 pypy pypy3 perl perl5 ruby irb node nodejs deno bun php lua luajit tclsh wish expect gawk guile racket sbcl clisp ghci runghc R Rscript julia octave erl elixir iex " +
		"scala groovy jshell java kotlin swift osascript pwsh powershell ocaml gjs tcc cpython bpython ipython ipython3", class{reads: true, opaque: true}},
	{"vi vim nvim vimdiff view rvim rview ex ed red emacs emacsclient nano pico joe mcedit micro ne less more most man info mc mutt lynx w3m links elinks gdb lldb ltrace strace perf bpftrace " +
		"psql mysql mariadb sqlite3 mongo mongosh redis-cli ftp tftp lftp cgdb tmux screen dtach abduco script scriptreplay watch top htop dialog whiptail", class{reads: true, writes: true, opaque: true}},
	{"make gmake cmake ninja ant mvn gradle npm npx yarn pnpm pip pip3 pipx gem bundle bundler rake cargo go gcc g++ cc c++ clang ld as rustc composer docker podman nerdctl ctr crictl lxc lxc-attach " +
		"virsh vagrant ansible ansible-playbook kubectl oc helm terraform chef-client puppet salt-call snap flatpak apt apt-get aptitude dpkg rpm yum dnf zypper pacman apk " +
		"crontab at batch systemctl service systemd-run run-parts insmod modprobe rmmod kexec mount umount losetup fdisk parted mkfs swapon iptables nft ip ifconfig route sysctl " +
		"useradd usermod userdel groupadd passwd chpasswd visudo vipw vigr update-alternatives update-rc.d ldconfig debugfs dbus-send busctl gdbus logrotate", class{reads: true, writes: true, opaque: true}},
	{"ssh slogin rsh rlogin rexec telnet mosh sftp autossh sshpass nc ncat netcat socat cryptcat", class{opaque: true}},
}

var byName = func() map[string]class {
	m := map[string]class{}
	for _, c := range classes {
		for n := range words(c.names) {
			m[n] = c.class
		}
	}
	return m
}()

func listed(name string) (class, bool) {
	c, ok := byName[name]
	return c, ok
}
