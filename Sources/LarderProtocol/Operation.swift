// One parsed step of a request: what the parser found in the input, as offsets and numbers, ready to be
// executed.
import LarderStore

/// A trivial record; a batch of them is parsed ahead so that the store's cache lines are on their way when
/// they run.
struct Operation: BitwiseCopyable {
    enum Kind: UInt8 {
        /// One key of get, gets, gat or gats.
        case get
        /// The END of such a request when it could not ride on its last key.
        case endOfGet
        /// A bad key inside a get: what the request has answered so far is dropped.
        case refusedGet
        /// A classic storage command whose whole value is in the input.
        case store
        /// A storage command (classic or `ms`) whose value is still arriving.
        case beginStore, beginMetaSet
        case delete, touch, arithmetic
        case metaGet, metaSet, metaDelete, metaArithmetic, metaDebug, metaNoop
        /// A line that is answered by a fixed text; `number` bytes after it are to be swallowed.
        case refusal
        /// A rare command: its line is `key`.
        case command
    }

    struct Bits: OptionSet {
        let rawValue: UInt8
        /// `noreply`.
        static let quiet = Bits(rawValue: 1)
        /// gets, gats: show the cas unique. Storage: compare it.
        static let withCAS = Bits(rawValue: 2)
        /// gat, gats: set the exptime.
        static let touches = Bits(rawValue: 4)
        /// Not the first step of its request.
        static let continues = Bits(rawValue: 8)
        /// The last key of a get: END follows.
        static let last = Bits(rawValue: 16)
        static let decrement = Bits(rawValue: 32)
        /// The value is followed by something else than `\r\n`.
        static let badChunk = Bits(rawValue: 64)
    }

    var kind = Kind.get
    var bits: Bits = []
    var mode = WriteMode.set
    var refusal = Refusal.badLine
    var clientFlags: UInt32 = 0
    var exptime = Moment.never
    var keyStart: UInt32 = 0
    var place = KeyPlace()
    /// Cas unique, delta, or bytes to swallow.
    var number: UInt64 = 0
    var keyEnd: UInt32 = 0
    var valueStart: UInt32 = 0
    var valueLength: UInt32 = 0
    /// The words after a meta command's key (and `ms`'s length): its flags.
    var flagsStart: UInt32 = 0
    var flagsEnd: UInt32 = 0
    /// Where the input goes on after this step.
    var end: UInt32 = 0

    @inline(__always) init() {}

    @inline(__always) var key: Range<Int> { Int(keyStart)..<Int(keyEnd) }
    @inline(__always) var value: Range<Int> { Int(valueStart)..<(Int(valueStart) &+ Int(valueLength)) }
    @inline(__always) var flags: Range<Int> { Int(flagsStart)..<Int(flagsEnd) }
}

/// Answers that need nothing but themselves.
enum Refusal: UInt8 {
    case badLine, badChunk, badExptime, badDelta, unknown, tooLarge, outOfMemory, unauthenticated

    var text: StaticString {
        switch self {
        case .badLine: "CLIENT_ERROR bad command line format\r\n"
        case .badChunk: "CLIENT_ERROR bad data chunk\r\n"
        case .badExptime: "CLIENT_ERROR invalid exptime argument\r\n"
        case .badDelta: "CLIENT_ERROR invalid numeric delta argument\r\n"
        case .unknown: "ERROR\r\n"
        case .tooLarge: "SERVER_ERROR object too large for cache\r\n"
        case .outOfMemory: "SERVER_ERROR out of memory storing object\r\n"
        case .unauthenticated: "CLIENT_ERROR unauthenticated\r\n"
        }
    }
}

/// A get line in progress: what its keys have in common.
struct GetRun {
    var isActive = false
    /// A key of it has been parsed.
    var hasBegun = false
    var bits: Operation.Bits = []
    var exptime = Moment.never
}
