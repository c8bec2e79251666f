// STUB: the protocol's author replaces this.
import LarderStore

struct Operation { }

public struct Session: ~Copyable {
    /// What of a session outlives an idle moment: a byte kept by the connection.
    public struct Standing: Sendable {
        public var isAuthenticated = false
        public init() {}
    }
    public var standing: Standing
    public init(_ standing: Standing = Standing()) { self.standing = standing }

    public struct Received: ~Copyable {
        /// Bytes of the input that are done with.
        public var consumed: Int
        public var verdict: Verdict
    }

    /// Nothing but `standing` needs to be kept until the next bytes come.
    public var isIdle: Bool { true }

    /// Answers what `input` holds, as far as it goes.
    public mutating func receive(
        _ input: Span<UInt8>, _ worker: inout WorkerContext, _ reply: inout ReplyBuffer
    ) -> Received { fatalError() }

    /// When a long value is being received: where the socket may read straight into. Nil otherwise.
    @unsafe public mutating func nextFreeRun() -> UnsafeMutableRawBufferPointer? { nil }
    /// `bytes` were read into the run; `receive` (with what follows) goes on from there.
    public mutating func markReceived(_ bytes: Int) {}
}
