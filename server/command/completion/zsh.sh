# zsh: @NAME@ runs commands on the home lab, with completion.
# Made by: ssh @HOST@ completion zsh

@NAME@() {
	local word words=
	for word; do words+=" '${word//\'/'\\''}'"; done
	if [[ -n $words && -t 0 && -t 1 ]]; then
		ssh -t -o LogLevel=error @HOST@ "${words# }"
	elif [[ -n $words ]]; then
		ssh @HOST@ "${words# }"
	else
		ssh @HOST@
	fi
}

_@NAME@() {
	local word line asked=
	local -a found
	for word in "${(@Q)words[2,CURRENT]}"; do asked+=" '${word//\'/'\\''}'"; done
	while IFS= read -r line; do
		[[ $line == :[0-9]* ]] || found+=("${${line%%$'\t'*}//:/\\:}${${(M)line:#*$'\t'*}:+:${line#*$'\t'}}")
	done < <(ssh -n -o BatchMode=yes -o ConnectTimeout=3 -o LogLevel=quiet -o ControlMaster=auto \
		-o ControlPath="$HOME/.ssh/homelab-%C" -o ControlPersist=60 @HOST@ "__complete$asked" 2>/dev/null)
	[[ $PREFIX == --*=* ]] && compset -P '*='
	_describe '@NAME@' found
}

compdef _@NAME@ @NAME@
