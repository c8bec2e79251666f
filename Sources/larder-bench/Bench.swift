// Pipelines of requests fed to a session in this process: what parse, store and reply cost, so that a
// regression is seen without a network and a quiet machine.
import Glibc
import LarderProtocol
import LarderStore

/// Answers the session's questions; the request path asks none.
private final class NoServer: ServerFacts {
    func settingRows() -> [(String, String)] { [] }
    func serverFigures() -> ServerFigures { ServerFigures() }
    func connectionRows() -> [ConnectionRow] { [] }
    func setMemoryLimit(megabytes: Int) -> Bool { false }
    func resetFigures() {}
}

struct Bench {
    /// Enough that items and index don't fit the second-level cache.
    private static let keys = 1_000_000
    private static let batches = 4000
    private static let rounds = 5
    private static let value = String(repeating: "v", count: 100)

    /// One pipeline a client might send: what it is called, the requests of one batch, and how many keys they
    /// name.
    private struct Load: Sendable {
        let name: String
        let keysPerBatch: Int
        let request: @Sendable () -> String
    }

    private static func key(_ i: Int) -> String {
        let digits = String(i)
        return "key:" + String(repeating: "0", count: 16 - digits.utf8.count) + digits
    }
    private static func anyKey() -> String { key(Int.random(in: 0..<keys)) }
    private static func many(_ n: Int, _ make: () -> String) -> String {
        (0..<n).map { _ in make() }.joined()
    }

    private static let loads = [
        Load(name: "get", keysPerBatch: 16) { many(16) { "get \(anyKey())\r\n" } },
        Load(name: "set", keysPerBatch: 16) { many(16) { "set \(anyKey()) 0 0 100\r\n\(value)\r\n" } },
        Load(name: "multiget", keysPerBatch: 50) { "get " + many(50) { anyKey() + " " } + "\r\n" },
        Load(name: "miss", keysPerBatch: 16) { many(16) { "get x\(anyKey())\r\n" } },
        Load(name: "mg", keysPerBatch: 16) { many(16) { "mg \(anyKey()) v\r\n" } },
        Load(name: "ms", keysPerBatch: 16) { many(16) { "ms \(anyKey()) 100 T0\r\n\(value)\r\n" } },
        Load(name: "touch", keysPerBatch: 16) { many(16) { "touch \(anyKey()) 0\r\n" } },
        Load(name: "delete", keysPerBatch: 16) { many(16) { "delete x\(anyKey())\r\n" } },
        Load(name: "incr", keysPerBatch: 16) { many(16) { "incr n\(Int.random(in: 0..<1000)) 1\r\n" } },
    ]

    func run(_ names: [String]) {
        var storeOptions = StoreOptions()
        storeOptions.memoryLimit = 512 << 20
        storeOptions.clients = 1
        guard let store = try? Store(storeOptions) else { return print("no memory") }
        var options = SessionOptions()
        options.requestsPerTurn = .max
        options.unixTimeOfMomentZero = store.unixTimeOfMomentZero
        var worker = WorkerContext(
            store: store.client(0), options: options, facts: NoServer(), admin: AdminState(options: options))
        var reply = ReplyBuffer(capacity: ReplyBuffer.softLimit * 2)
        for i in 0..<Self.keys {
            Self.feed(Array("set \(Self.key(i)) 0 0 100\r\n\(Self.value)\r\n".utf8), &worker, &reply)
        }
        for i in 0..<1000 { Self.feed(Array("set n\(i) 0 0 5\r\n10000\r\n".utf8), &worker, &reply) }
        for load in Self.loads where names.isEmpty || names.contains(load.name) {
            let batches = (0..<Self.batches).map { _ in Array(load.request().utf8) }
            var best = Double.infinity
            for _ in 0..<Self.rounds {
                let start = Self.cpuSeconds()
                for batch in batches { Self.feed(batch, &worker, &reply) }
                best = min(best, Self.cpuSeconds() - start)
            }
            let nanoseconds = best * 1e9 / Double(batches.count * load.keysPerBatch)
            print("\(load.name): \(Int(nanoseconds.rounded())) ns of CPU a key, best of \(Self.rounds)")
        }
    }

    /// Lets a fresh session answer the bytes, and forgets the replies.
    private static func feed(_ bytes: [UInt8], _ worker: inout WorkerContext, _ reply: inout ReplyBuffer) {
        var session = Session()
        var position = 0
        while position < bytes.count {
            let received = session.receive(
                bytes.span.extracting(position..<bytes.count), &worker, &reply)
            position += received.consumed
            reply.reset(store: worker.store)
            switch received.verdict {
            case .flush: continue
            default: return
            }
        }
    }

    private static func cpuSeconds() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
    }
}
