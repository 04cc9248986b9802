package shell

import "strings"

// class is what programs of a sort do with their operands.
type class struct {
	reads  bool // operands are read
	writes bool // operands are written
	last   bool // only the last operand is written, the others are read (and written with both)
	skip   int  // operands in front that are no paths
	opaque bool
}

// valued are the letters of each program's options that always have a value which is no file. Of others the next word is taken for an
// operand, so that no file goes unseen.
var valued = map[string]string{
	"ls": "IwT", "dir": "IwT", "vdir": "IwT", "ll": "IwT", "head": "nc", "tail": "nsc", "stat": "c", "file": "FPe", "du": "Bdt", "df": "Btx", "cksum": "a", "tac": "s",
	"nl": "bdfhilnsvw", "od": "AjNSt", "hexdump": "ens", "hd": "ens", "strings": "nteT", "basename": "s", "cmp": "in", "diff": "CUWFIxL", "join": "12aejotv",
	"paste": "d", "cut": "bcdf", "fold": "w", "fmt": "wpg", "pr": "DhlNowW", "expand": "t", "unexpand": "t", "base64": "w", "base32": "w", "basenc": "w",
	"tree": "LPIHT", "column": "cosNOHnprRTW", "look": "t", "touch": "td", "mkdir": "m", "mkfifo": "m", "mknod": "m", "truncate": "s", "shred": "ns", "fallocate": "ol",
	"install": "mogS", "cp": "S", "mv": "S", "split": "abCln", "tsort": "", "shuf": "in", "readlink": "", "kill": "s", "seq": "fs", "sleep": "", "ps": "ACGgopqstuU",
}

// binutils read options from a file that is named behind an @.
var binutils = words("nm objdump size readelf strings ld as ar addr2line c++filt strip objcopy ranlib")

// scripted reports whether the program's first operand may be a file, since an option has what stands there otherwise.
func scripted(options []string) bool {
	for _, o := range options {
		if strings.HasPrefix(o, "--") && !plainQuery[o] || !strings.HasPrefix(o, "--") && strings.ContainsAny(o, "fL") {
			return true
		}
	}
	return false
}

// plainQuery are long options of jq and yq that take nothing.
var plainQuery = words("--raw-output --compact-output --slurp --raw-input --null-input --exit-status --sort-keys --color-output --monochrome-output --tab --join-output --ascii-output --seq --stream --unbuffered")

// elsewhere reports whether the names of files, or a program, are in an option or a file that it names.
func elsewhere(options []string, ops []word, at bool) bool {
	for _, o := range options {
		if abbreviates(o, "--files0-from", "--strip-program") {
			return true
		}
	}
	for _, w := range ops {
		if at && strings.HasPrefix(w.text, "@") {
			return true
		}
	}
	return false
}

func (c class) apply(a *analysis, name string, args []word) {
	takes := valued[name]
	ops, options := operands(args, takes, nil)
	a.program(name, c.opaque || elsewhere(options, ops, binutils[name]))
	if len(ops) > c.skip && !scripted(options) {
		ops = ops[c.skip:]
	} else if len(ops) <= c.skip {
		ops = nil
	}
	a.paths(consumed(args, takes), c.writes || c.last) // the option may have no value, or a file
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
		"getfacl lsattr namei column look tsort nm objdump size readelf", class{reads: true}},
	{"jq yq", class{skip: 1, reads: true}},
	{"tree", class{reads: true, writes: true}}, // -o
	{"rm rmdir unlink shred touch mkdir truncate mkfifo mknod fallocate tee sponge gzip gunzip bzip2 bunzip2 xz unxz zstd unzstd lz4 compress uncompress",
		class{writes: true}},
	{"cp install", class{last: true}},
	{"mv rename", class{last: true, writes: true}},
	{"true false : pwd cal uptime uname id whoami groups w tty logname arch nproc free iostat mpstat ps pidof lscpu lsblk lsmod lsusb netstat seq yes sleep expr " +
		"factor locale getconf getent clear reset wait jobs fg bg kill killall type which whereis exit return break continue shift times ulimit umask " +
		"set shopt history dirs tr numfmt uuidgen nslookup host ping traceroute tracepath loginctl timedatectl hostnamectl localectl printenv disown suspend echo test [", class{}},
	{"who users last lastb sync bc", class{reads: true}},
	{"ldd python python2 python3 pypy pypy3 perl perl5 ruby irb node nodejs deno bun php lua luajit tclsh wish expect gawk guile racket sbcl clisp ghci runghc R Rscript julia octave erl elixir iex " +
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
