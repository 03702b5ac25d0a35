// Package salt is what the Salt masters know. It runs salt, salt-key and
// salt-run on a master, follows its stream of events, and folds both into what
// is known of each minion.
//
// It promises that only legal minion IDs and function names reach a command
// line, and never a pattern; that what leaves for another machine is quoted
// for each shell on the way; that every command has a deadline and is ended
// with its whole process group; that a follower's child ends with it, also
// when this process is killed; and that no answer is believed for its exit
// status alone.
//
// It knows nothing of the store and nothing of who asks: whose key may be
// accepted, and who may call what, is decided by its caller.
package salt
