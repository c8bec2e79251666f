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

    func run(_ names: [String]) async {
        let loads = Self.loads.filter { names.isEmpty || names.contains($0.name) }
        guard let clients = await Self.clients(1) else { return print("no memory") }
        for load in loads {
            let batches = Self.batches(load)
            var best = Double.infinity
            for _ in 0..<Self.rounds {
                let start = Self.seconds(CLOCK_PROCESS_CPUTIME_ID)
                await clients[0].answer(batches)
                best = min(best, Self.seconds(CLOCK_PROCESS_CPUTIME_ID) - start)
            }
            let nanoseconds = best * 1e9 / Double(batches.count * load.keysPerBatch)
            print("\(load.name): \(Int(nanoseconds.rounded())) ns of CPU a key, best of \(Self.rounds)")
        }
    }

    /// How much more `threads` clients of one store get done than one of them alone: 1.0 times as much where
    /// they wait for each other, `threads` times where they don't meet.
    func run(_ names: [String], threads: Int) async {
        let loads = Self.loads.filter { names.isEmpty || names.contains($0.name) }
        guard let clients = await Self.clients(threads) else { return print("no memory") }
        for load in loads {
            let batches = clients.map { _ in Self.batches(load) }
            var ratios: [Double] = []
            for _ in 0..<2 * Self.rounds {
                let alone = await Self.time(clients.prefix(1), batches)
                ratios.append(Double(threads) * alone / (await Self.time(clients[...], batches)))
            }
            let median = (ratios.sorted()[Self.rounds] * 100).rounded() / 100
            print("\(load.name): \(threads) threads do \(median) times as much, median of \(ratios.count)")
        }
    }

    /// Seconds until all clients have answered their batches, at once.
    private static func time(_ clients: ArraySlice<BenchClient>, _ batches: [[[UInt8]]]) async -> Double {
        let start = seconds(CLOCK_MONOTONIC)
        await withTaskGroup(of: Void.self) { group in
            for (client, batches) in zip(clients, batches) {
                group.addTask { await client.answer(batches) }
            }
        }
        return seconds(CLOCK_MONOTONIC) - start
    }

    /// The clients of one store that holds all keys; nil without memory.
    private static func clients(_ count: Int) async -> [BenchClient]? {
        var storeOptions = StoreOptions()
        storeOptions.memoryLimit = 512 << 20
        storeOptions.clients = count
        guard let store = try? Store(storeOptions) else { return nil }
        let clients = (0..<count).map { BenchClient(store, $0) }
        await clients[0].answer((0..<keys).map { Array("set \(key($0)) 0 0 100\r\n\(value)\r\n".utf8) })
        await clients[0].answer((0..<1000).map { Array("set n\($0) 0 0 5\r\n10000\r\n".utf8) })
        return clients
    }

    private static func batches(_ load: Load) -> [[UInt8]] {
        (0..<batches).map { _ in Array(load.request().utf8) }
    }

    private static func seconds(_ clock: clockid_t) -> Double {
        var time = timespec()
        clock_gettime(clock, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
    }
}

/// One thread's client of the store, with what a worker of the daemon has.
private actor BenchClient {
    private var worker: WorkerContext
    private var reply = ReplyBuffer(capacity: ReplyBuffer.softLimit * 2)

    init(_ store: Store, _ index: Int) {
        var options = SessionOptions()
        options.requestsPerTurn = .max
        options.unixTimeOfMomentZero = store.unixTimeOfMomentZero
        worker = WorkerContext(
            store: store.client(index), options: options, facts: NoServer(),
            admin: AdminState(options: options))
    }

    func answer(_ batches: [[UInt8]]) {
        for batch in batches { Self.feed(batch, &worker, &reply) }
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
}
