# What the source asks of configure is in plugin/pgbox-config.h.in, which is
# written by hand: a macro that is missing there is never defined.

check() {
	[ -f plugin/pgbox-config.h.in ] || echo "plugin/pgbox-config.h.in is missing"
	grep -hE '^# *(el)?if' plugin/*.[ch] | grep -oE '\bHAVE_[A-Z0-9_]+' | sort -u | while read -r name; do
		grep -q "^#undef $name\$" plugin/pgbox-config.h.in ||
			echo "plugin/pgbox-config.h.in does not have $name"
	done
}

sample_macro_is_missing() {
	echo '#undef HAVE_ONE' >plugin/pgbox-config.h.in
	printf '#ifdef HAVE_TWO\n#endif\n' >plugin/a.h
}
