// The commands operators type, apart from `stats`: what each asks for, checked word by word, and memcached's answer to
// it. Nothing here is on the request path; a command is a handful of strings.
import LarderStore

/// What the session does after an admin command.
enum AdminOutcome {
    /// Not an admin command: nothing was appended.
    case unknown
    /// The answer has been appended.
    case answered
    /// The server has something to do; where it says so, the answer has been appended already.
    case effect(Effect)
    /// The answer comes in steps: until `Dump.proceed` returns true the session answers nothing else.
    case dumping(Dump)
}

enum AdminCommands {
    typealias Handler = (_ words: [String], _ worker: inout WorkerContext, _ reply: inout ReplyBuffer) -> AdminOutcome

    /// Executes the command line `line` (without its line end) if it is an admin command.
    static func execute(
        _ line: Span<UInt8>, _ worker: inout WorkerContext, _ reply: inout ReplyBuffer
    ) -> AdminOutcome {
        .unknown
    }
}
