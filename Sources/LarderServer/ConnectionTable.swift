// What everybody may know about each open descriptor: one word per descriptor, written by the thread that
// owns the connection and read by `stats conns` and the idle sweep. The words are apart from the connections
// themselves, so that asking never touches what a worker is working on.
import Glibc
import Synchronization

/// Where a connection stands.
enum Phase: UInt8, CaseIterable {
    case listening = 1
    /// Waiting for a request, or for the rest of a command line.
    case reading
    /// Waiting for the rest of a value.
    case receiving
    /// Stopped because the client doesn't read its replies.
    case writing
    /// Has had its share of a turn; more of its requests wait.
    case resting
    case watching
    /// Guessed a password and waits for the answer.
    case pausing

    /// memcached's word for it in `stats conns`.
    var name: String {
        switch self {
        case .listening: "conn_listening"
        case .reading: "conn_read"
        case .receiving: "conn_nread"
        case .writing: "conn_mwrite"
        case .resting: "conn_parse_cmd"
        case .watching: "conn_watch"
        case .pausing: "conn_waiting"
        }
    }
}

enum Transport: UInt8 {
    case local, tcp, udp

    /// memcached's word for it in connection events.
    var name: StaticString {
        switch self {
        case .local: "local"
        case .tcp: "tcp"
        case .udp: "udp"
        }
    }
}

struct ConnectionTable: @unchecked Sendable { // the words are atomics
    /// What one word says; 0 means that the descriptor is none of ours.
    struct Entry {
        var word: UInt64
        /// The second (of the store's clock) of the last bytes from or to the client.
        var lastActivity: UInt32 { UInt32(truncatingIfNeeded: word) }
        var phase: Phase? { Phase(rawValue: UInt8(truncatingIfNeeded: word >> 32)) }
        var transport: Transport { Transport(rawValue: UInt8(truncatingIfNeeded: word >> 40)) ?? .local }

        init(word: UInt64) { self.word = word }
        init(_ phase: Phase, _ transport: Transport, lastActivity: UInt32) {
            word = UInt64(transport.rawValue) << 40 | UInt64(phase.rawValue) << 32 | UInt64(lastActivity)
        }
    }

    private let words: UnsafeMutablePointer<Atomic<UInt64>>
    /// One more than the greatest descriptor there is room for.
    let capacity: Int

    /// Room for every descriptor the process may have; only the pages used cost memory.
    init?() {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return nil }
        capacity = Int(min(limit.rlim_cur, 1 << 24))
        let memory = mmap(
            nil, capacity * 8, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
        guard let memory, memory != MAP_FAILED else { return nil }
        words = memory.bindMemory(to: Atomic<UInt64>.self, capacity: capacity)
    }

    func free() { munmap(words, capacity * 8) }

    func entry(_ descriptor: Int32) -> Entry {
        Entry(word: words[Int(descriptor)].load(ordering: .relaxed))
    }

    func set(_ descriptor: Int32, _ entry: Entry) {
        words[Int(descriptor)].store(entry.word, ordering: .relaxed)
    }

    func clear(_ descriptor: Int32) { words[Int(descriptor)].store(0, ordering: .relaxed) }

    /// Notes activity. The word is written once a second at most: its neighbours belong to other workers.
    @inline(__always)
    func touch(_ descriptor: Int32, now: UInt32) {
        let word = words + Int(descriptor)
        let old = word.pointee.load(ordering: .relaxed)
        if UInt32(truncatingIfNeeded: old) != now {
            word.pointee.store(old & ~0xFFFF_FFFF | UInt64(now), ordering: .relaxed)
        }
    }

    func setPhase(_ descriptor: Int32, _ phase: Phase) {
        let word = words + Int(descriptor)
        let old = word.pointee.load(ordering: .relaxed)
        let new = old & ~0xFF_0000_0000 | UInt64(phase.rawValue) << 32
        if new != old { word.pointee.store(new, ordering: .relaxed) }
    }
}
