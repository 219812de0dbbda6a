# shellcheck shell=bash disable=SC2154
# What packaging/quickstart and tests/run share: packages, the copy of the
# checkout, time limits. Sourced by a script that has set
#   top       the checkout
#   program   its own name, for messages
# and, before the functions are called,
#   work      a temporary directory

MINUTES=60
INSTALL_SECONDS=$((20 * MINUTES))

say() {
	printf '\n== %s\n' "$*"
}

# limited SECONDS COMMAND...: nothing may hang for ever. It runs in the
# background because bash acts on a signal only while it waits.
child=

limited() {
	timeout -k 60 "$@" &
	child=$!
	wait "$child"
	local status=$?
	child=
	return $status
}

# Ends the command that limited() runs.
end_child() {
	if [ -n "$child" ]; then
		kill -TERM "$child" 2>/dev/null
		wait "$child"
	fi
}

#
# Packages. dpkg is asked first: a second run needs no network.
#

installed() {
	[ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# The newest server that is installed, else the distribution's.
postgresql_version() {
	local version
	version=$(find /usr/lib/postgresql/*/bin/initdb 2>/dev/null | sort -V | tail -n 1 | cut -d/ -f5)
	[ -n "$version" ] ||
		version=$(apt-cache show postgresql 2>/dev/null |
			sed -n 's/^Depends: .*postgresql-\([0-9][0-9]*\).*/\1/p' | head -n 1)
	echo "${version:-15}"
}

# missing_packages LIST...: names of files in packaging/packages
missing_packages() {
	local list package version
	version=$(postgresql_version)
	for list in "$@"; do
		sed "/^#/d; s/@VERSION@/$version/" "$top/packaging/packages/$list"
	done | while read -r package; do
		installed "$package" || echo "$package"
	done
}

# Packages start their services when they are installed; ours are private.
policy=/usr/sbin/policy-rc.d
policy_is_ours=

forbid_services() {
	[ ! -e $policy ] || return 0
	printf '#!/bin/sh\nexit 101\n' >$policy
	chmod 755 $policy
	policy_is_ours=yes
}

allow_services() {
	[ -z "$policy_is_ours" ] || rm -f $policy
	policy_is_ours=
}

# install_packages LIST...
install_packages() {
	local packages
	mapfile -t packages < <(missing_packages "$@")
	[ ${#packages[@]} -gt 0 ] || return 0
	say "install ${packages[*]}"
	if ! command -v apt-get >/dev/null || [ "$(id -u)" -ne 0 ]; then
		echo "$program: run it as root on Debian, or install: ${packages[*]}" >&2
		exit 1
	fi
	forbid_services
	export DEBIAN_FRONTEND=noninteractive
	limited $INSTALL_SECONDS apt-get -qq update
	# Which server is the distribution's is known now.
	mapfile -t packages < <(missing_packages "$@")
	limited $INSTALL_SECONDS \
		apt-get -qq -y --no-install-recommends install "${packages[@]}" >"$work/apt.log" 2>&1 || {
		tail -n 30 "$work/apt.log" >&2
		echo "$program: these packages could not be installed: ${packages[*]}" >&2
		exit 1
	}
	allow_services
}

# The checkout as it is, with what is not committed, without what is ignored,
# as $work/src.
copy_checkout() {
	mkdir "$work/src"
	if git -c safe.directory='*' -C "$top" rev-parse --git-dir >/dev/null 2>&1; then
		(cd "$top" && git -c safe.directory='*' ls-files -co --exclude-standard -z |
			while IFS= read -r -d '' file; do
				[ ! -e "$file" ] || printf '%s\0' "$file"
			done | tar -c --null -T - -f -) | tar -x -C "$work/src" -f -
	else
		tar -c -C "$top" --exclude=.git -f - . | tar -x -C "$work/src" -f -
	fi
}
