# bash: @NAME@ runs commands on the home lab, with completion.
# Made by: ssh @HOST@ completion bash

@NAME@() {
	local word words=
	for word; do words+=" '${word//\'/\'\\\'\'}'"; done
	if [ -n "$words" ] && [ -t 0 ] && [ -t 1 ]; then
		ssh -t -o LogLevel=error @HOST@ "${words# }"
	elif [ -n "$words" ]; then
		ssh @HOST@ "${words# }"
	else
		ssh @HOST@
	fi
}

_@NAME@_complete() {
	local line="${COMP_LINE:0:COMP_POINT}" word words= value typed=()
	read -ra typed <<<"$line"
	case $line in *[[:space:]]) typed+=("") ;; esac
	for word in "${typed[@]:1}"; do words+=" '${word//\'/\'\\\'\'}'"; done
	COMPREPLY=()
	while IFS=$'\t' read -r value _; do
		case $value in
		:[0-9]*) ;;
		*) if [[ $value == "${COMP_WORDS[COMP_CWORD]#=}"* ]]; then COMPREPLY+=("$value"); fi ;;
		esac
	done < <(ssh -n -o BatchMode=yes -o ConnectTimeout=3 -o LogLevel=quiet -o ControlMaster=auto \
		-o ControlPath="$HOME/.ssh/homelab-%C" -o ControlPersist=60 @HOST@ "__complete$words" 2>/dev/null)
	if [ ${#COMPREPLY[@]} -eq 1 ] && [[ ${COMPREPLY[0]} == *: ]]; then compopt -o nospace; fi
}

complete -F _@NAME@_complete @NAME@
