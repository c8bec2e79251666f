// Times the store and the protocol alone, without sockets: `swift run -c release larder-bench [name ...]`;
// with `--threads 2` before the names, how much two threads do that share a store.
let words = Array(CommandLine.arguments.dropFirst())
if words.first == "--threads", words.count > 1, let threads = Int(words[1]), threads > 0 {
    await Bench().run(Array(words.dropFirst(2)), threads: threads)
} else {
    await Bench().run(words)
}
