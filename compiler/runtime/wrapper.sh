# Stands between a container and its command: /bin/sh -c THIS mlc DIRECTIVE… -- WORD…
# A directive is three words, KIND NAME VALUE; compiler/launch.py writes them.
#
#   env NAME VALUE        export it to the command
#   flags - CODE          how words make up the argument vector, a letter for each item:
#                         . a word; s NAME VALUE: NAME if true; o NAME VALUE: both unless null;
#                         j NAME VALUE: NAME=VALUE unless null. Null is the empty text.
#   file NAME PATH        after success: it is there
#   TYPE NAME PATH        after success: the file holds a value of that type; white space around
#                         it, of a string one final newline, is cut
#   text NAME PATH        a string whose final newline stays
#   not - TEXT            the value just read doesn't contain TEXT (with printf's escapes)
#   metrics NAME PATH     the file holds one flat JSON object of numbers
#   metadata NAME PATH    and is handed over in output_metadata.json beside it
#
# compiler/runtime/__init__.py strips comments and indentation, and leaves out the parts between
# `#<PART` and `#>PART` that a step has no use for.
#
# Before the command runs, only names with a prefix: an assignment would change what the command
# sees where the environment has a variable of that name. Backquotes, since `$(` would have to be
# escaped from the kubelet.
mlc_run() {
  mlc_f= mlc_w=
  while [ "$1" != -- ]; do
    case $1 in
    env) export "$2=$3" ;;
    flags) mlc_f=$3 ;;
    *) mlc_w=1 ;;
    esac
    shift 3
  done
  shift
  while [ "$mlc_f" ]; do
    case $mlc_f in
    .*) set -- "$@" "$1" ;;
    *)
      case ${2:+v}$mlc_f in
      vs*) case $2 in true) set -- "$@" "$1" ;; esac ;;
      vo*) set -- "$@" "$1" "$2" ;;
      vj*) set -- "$@" "$1=$2" ;;
      esac
      shift
      ;;
    esac
    shift
    mlc_f=${mlc_f#?}
  done
  # By exec, since a function or builtin of the shell may bear the command's name.
  [ "$mlc_w" ] || exec "$@"
  exec "$@" &
  p=$!
  # What a shell starts in the background ignores INT and QUIT, so that they come as TERM.
  trap "kill $p" HUP INT QUIT TERM
  # A signal ends `wait` before the command.
  while wait $p; r=$?; kill -0 $p 2>/dev/null; do :; done
  return $r
}
mlc_run "$@" || exit
LC_ALL=C
no() {
  printf "mlc: output $n: $1\n" "$v" >&2
  exit 65
}
#<values
w=`printf ' \t\r\n.'`
w=${w%.}
trim() {
  v=${v#"${v%%[!$w]*}"}
  v=${v%"${v##*[!$w]}"}
}
number() {
  a=${1#-} f=0 e=0
  case $a in *[eE]*) e=${a#*[eE]} a=${a%%[eE]*} ;; esac
  case $a in *.*) f=${a#*.} a=${a%%.*} ;; esac
  case $a:${e#+} in 0?*:* | *:309 | *:3[1-9]? | *:[4-9]?? | *:[!-]???*) return 1 ;; esac
  for i in "$a" "$f" "${e#[-+]}"; do
    case $i in '' | *[!0-9]*) return 1 ;; esac
  done
}
#>values
#<metrics
metrics() {
  v=${v#?} v=${v%?} b=,
  trim
  while [ "$v" ]; do
    case $v in '"'*) v=${v#?} ;; *) return 1 ;; esac
    # A name ends at the first quote with an even number of backslashes before it.
    while
      case $v in *'"'*) ;; *) return 1 ;; esac
      b=${v%%'"'*} v=${v#*'"'}
      b=${b##*[!\\]}
      [ $((${#b} % 2)) = 1 ]
    do :; done
    trim
    case $v in :*) v=${v#?} ;; *) return 1 ;; esac
    trim
    x=${v%%,*}
    number "${x%"${x##*[!$w]}"}" || return
    v=${v#"$x"}
    case $v in ,*) v=${v#?} && trim && [ "$v" ] || return ;; esac
  done
}
m=
#>metrics
while [ "$1" != -- ]; do
  case $1 in
  env | flags) ;;
#<values
  not)
    x=`printf %b "$3"`
    case $v in *"$x"*) v=$x && no 'found `%s` in it, which this engine cannot carry' ;; esac
    ;;
#>values
  *)
    n=$2 v=$3
    [ -e "$v" ] || no 'nothing was written to %s'
#<values
    case $1 in file) shift 3 && continue ;; esac
    v=`cat "$3" && echo .` || no 'it cannot be read'
    v=${v%.}
    o=$v
    case $1 in
    text) ;;
    string) v=${v%"${w#???}"} ;;
    *) trim ;;
    esac
    t="an $1"
    case $1:$v in
    text:* | string:* | boolean:true | boolean:false | array:\[*\] | object:{*}) t= ;;
    boolean:*) t='a boolean; write `true` or `false`' ;;
    number:*) number "$v" && t= || t='a number' ;;
    integer:*)
      i=$v
      case $v in
      *.*[!0]* | *[eE]-*) ;;
      *.0*) i=${v%%.*} ;;
      *[eE]*) number "$v" && i=`printf %.0f "$v"` ;;
      esac
      x=${i#-}
      case $x in
      '' | 0?* | *[!0-9]*) ;;
      *) [ "${#x}" -lt 17 ] && [ "$x" -lt 9007199254740992 ] && t= v=$i ;;
      esac
      ;;
#<metrics
    m*)
      y=$v t='a flat JSON object of finite numbers'
      case $v in {*}) metrics && t= ;; esac
      v=$y
      ;;
#>metrics
    esac
    [ -z "$t" ] || no "found \`%.40s\`, wanted $t"
#<metrics
    case $1 in metadata) m=$m,'"'$n'":{"artifacts":[{"metadata":'$v'}]}' d=${3%/*} ;; esac
#>metrics
    case $v in "$o") ;; *) printf %s "$v" >"$3" ;; esac || exit 65
#>values
    ;;
  esac
  shift 3
done
#<metrics
[ -z "$m" ] || printf '{"artifacts":{%s}}' "${m#,}" >"$d/output_metadata.json"
#>metrics
