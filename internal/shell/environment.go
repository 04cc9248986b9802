package shell

import (
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"dragoman.dev/dragoman/internal/action"
)

// powerful are variables that change which code programs run.
var powerful = words("PATH ENV BASH_ENV IFS SHELL SHELLOPTS BASHOPTS PROMPT_COMMAND PS0 PS1 PS2 PS4 CDPATH HOME EDITOR VISUAL PAGER MANPAGER LESSOPEN LESSCLOSE LESS BROWSER FCEDIT " +
	"HISTFILE INPUTRC TERMINFO TERMCAP TMPDIR GREP_OPTIONS WGETRC CURL_HOME RIPGREP_CONFIG_PATH XZ_OPT XZ_DEFAULTS GZIP BZIP BZIP2 ZSTD_OPT LESSKEY MANOPT MANROFFOPT HOSTALIASES GLOBIGNORE EXECIGNORE SSLKEYLOGFILE KRB5_CONFIG PYTHONPATH PYTHONSTARTUP PYTHONHOME PERL5LIB PERL5OPT PERL5DB RUBYOPT RUBYLIB NODE_OPTIONS NODE_PATH JAVA_TOOL_OPTIONS _JAVA_OPTIONS " +
	"CLASSPATH RSYNC_RSH TAR_OPTIONS MAKEFLAGS ZDOTDIR FPATH fpath path OPENSSL_CONF SSH_ASKPASS SUDO_ASKPASS SUDO_EDITOR SYSTEMD_EDITOR SYSTEMD_PAGER GCONV_PATH LOCPATH NLSPATH BASH_FUNC")

func (a *analysis) variable(as *syntax.Assign) bool {
	if as.Name == nil {
		return true
	}
	if as.Index != nil && !everything(as.Index) {
		a.expression(as.Index)
	}
	if !as.Naked || as.Value != nil {
		a.counted(as.Name.Value, as.Value)
	}
	if name := as.Name.Value; len(name) == 3 && strings.HasPrefix(name, "PS") && as.Value != nil {
		if w := a.word(as.Value); w.known && !strings.ContainsAny(w.text, "$`\\") { // a prompt that is only text
			return true
		}
	}
	a.environment(as.Name.Value)
	return true
}

func (a *analysis) environment(name string) {
	if powerful[name] || strings.HasPrefix(name, "LD_") || strings.HasPrefix(name, "XDG_") || strings.HasPrefix(name, "AWK") || strings.HasPrefix(name, "LUA_") || strings.HasPrefix(name, "OPENSSL_") ||
		strings.HasPrefix(name, "PERL") || strings.HasPrefix(name, "RSYNC_") || strings.HasPrefix(name, "GLIBC_") || strings.HasPrefix(name, "GIT_") || strings.HasPrefix(name, "DYLD_") || strings.HasPrefix(name, "BASH_FUNC") || strings.HasPrefix(name, "PYTHON") {
		a.set(FeatureEnvironment, action.FeatureOpaque)
	}
}
