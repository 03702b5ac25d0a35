# fish: @NAME@ runs commands on the home lab, with completion.
# Made by: ssh @HOST@ completion fish

function __@NAME@_quote
    for word in $argv
        printf " '%s'" (string replace -a "'" "'\\''" -- $word)
    end
end

function @NAME@ --description 'Run a command on the home lab'
    set -l words (__@NAME@_quote $argv)
    if test (count $argv) -gt 0; and isatty stdin; and isatty stdout
        ssh -t -o LogLevel=error @HOST@ (string join '' -- $words)
    else if test (count $argv) -gt 0
        ssh @HOST@ (string join '' -- $words)
    else
        ssh @HOST@
    end
end

function __@NAME@_complete
    set -l typed (commandline -opc) (commandline -ct)
    set -l prefix (string match -r -- '^--[^=]*=' (commandline -ct))
    for line in (ssh -n -o BatchMode=yes -o ConnectTimeout=3 -o LogLevel=quiet -o ControlMaster=auto \
            -o ControlPath=$HOME/.ssh/homelab-%C -o ControlPersist=60 @HOST@ "__complete"(string join '' -- (__@NAME@_quote $typed[2..])) 2>/dev/null)
        string match -qr '^:[0-9]+$' -- $line; or echo "$prefix$line"
    end
end

complete -c @NAME@ -f -a '(__@NAME@_complete)'
