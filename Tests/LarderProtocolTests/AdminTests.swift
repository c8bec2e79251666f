// Commands operators type and what memcached 1.6.45 answers to them, on a real store without a server.
import Testing

@testable import LarderProtocol
@testable import LarderStore

private final class FakeFacts: ServerFacts {
    func settingRows() -> [(String, String)] {
        [
            ("maxbytes", "67108864"), ("verbosity", "0"), ("detail_enabled", "no"), ("slab_automove", "1"),
            ("lru_crawler", "yes"), ("lru_crawler_sleep", "100"), ("track_sizes", "no"),
        ]
    }
    func serverFigures() -> ServerFigures { ServerFigures() }
    func connectionRows() -> [ConnectionRow] { [] }
    func setMemoryLimit(megabytes: Int) -> Bool { megabytes <= 1024 }
    func resetFigures() {}
}

/// A worker on a store of its own, and what it answers to admin commands.
private struct Desk: ~Copyable {
    let store: Store
    var worker: WorkerContext

    init(_ change: (inout SessionOptions) -> Void = { _ in }) {
        var storeOptions = StoreOptions()
        storeOptions.memoryLimit = 8 << 20
        store = try! Store(storeOptions)
        store.setClock(Moment(100))
        var options = SessionOptions()
        options.unixTimeOfMomentZero = 1_000_000
        change(&options)
        let admin = AdminState(options: options)
        worker = WorkerContext(
            store: store.client(0), options: options, facts: FakeFacts(), admin: admin,
            ring: EventRing(capacity: 4096, log: admin.log))
    }

    mutating func set(_ key: String, _ value: String, exptime: Moment = .never, flags: UInt32 = 0) {
        let key = Array(key.utf8)
        let value = Array(value.utf8)
        var request = WriteRequest()
        request.exptime = exptime
        request.clientFlags = flags
        let client = worker.store
        _ = client.write(
            key.span, at: client.place(key.span), value: value.span, request, now: client.now)
    }

    /// The whole answer; effects and steps are named in parentheses.
    mutating func ask(_ line: String) -> String {
        var reply = ReplyBuffer()
        let bytes = Array(line.utf8)
        let outcome = AdminCommands.execute(bytes.span, &worker, &reply)
        switch outcome {
        case .unknown: return "(unknown)"
        case .close: return "(close)"
        case .answered: return text(of: reply)
        case .effect(let effect): return text(of: reply) + "(\(effect))"
        case .dump(let cursor):
            var steps = 0
            while !cursor.proceed(&worker, &reply), steps < 100_000 { steps += 1 }
            return text(of: reply)
        }
    }
}

@Suite struct AdminTests {
    @Test func linesWithoutAnAdminCommand() {
        var desk = Desk()
        #expect(desk.ask("") == "(unknown)")
        #expect(desk.ask("extstore item_size 1") == "(unknown)")
        #expect(desk.ask("debugtime 3") == "(unknown)")
        #expect(desk.ask("STATS") == "(unknown)")
        #expect(desk.ask("statsx") == "(unknown)")
    }

    @Test func memoryLimit() {
        var desk = Desk()
        #expect(desk.ask("cache_memlimit") == "ERROR\r\n")
        #expect(desk.ask("cache_memlimit x") == "ERROR\r\n")
        #expect(desk.ask("cache_memlimit 7") == "MEMLIMIT_TOO_SMALL cannot set maxbytes to less than 8m\r\n")
        #expect(
            desk.ask("cache_memlimit 1000000001")
                == "MEMLIMIT_ADJUST_FAILED input value is megabytes not bytes\r\n")
        #expect(
            desk.ask("cache_memlimit 2048") == "MEMLIMIT_ADJUST_FAILED out of bounds or unable to adjust\r\n")
        #expect(desk.ask("cache_memlimit 16") == "OK\r\n")
        #expect(desk.ask("stats settings").hasPrefix("STAT maxbytes 16777216\r\n"))
        #expect(desk.ask("cache_memlimit 16 noreply") == "")
    }

    @Test func verbosity() {
        var desk = Desk()
        #expect(desk.ask("verbosity") == "CLIENT_ERROR bad command line format\r\n")
        #expect(desk.ask("verbosity 99999999999") == "CLIENT_ERROR bad command line format\r\n")
        #expect(desk.ask("verbosity 1") == "OK\r\n(setVerbosity(1))")
        #expect(desk.ask("verbosity 7") == "OK\r\n(setVerbosity(2))")
        #expect(desk.ask("verbosity 0 noreply") == "(setVerbosity(0))")
        #expect(desk.ask("stats settings").contains("STAT verbosity 0\r\n"))
    }

    @Test func shutdown() {
        var desk = Desk()
        #expect(desk.ask("shutdown") == "SERVER_ERROR: shutdown not enabled\r\n")
        var open = Desk { $0.allowsShutdown = true }
        #expect(open.ask("shutdown foo") == "CLIENT_ERROR invalid shutdown mode\r\n")
        #expect(open.ask("shutdown") == "(shutdown(graceful: false))")
        #expect(open.ask("shutdown graceful") == "(shutdown(graceful: true))")
    }

    @Test func watch() {
        var desk = Desk()
        #expect(desk.ask("watch") == "(watch(1))")
        #expect(desk.ask("watch mutations evictions") == "(watch(6))")
        #expect(desk.ask("watch rawcmds") == "(watch(64))")
        #expect(desk.ask("watch proxyreqs") == "(watch(128))")
        #expect(desk.ask("watch foo") == "ERROR\r\n")
        var closed = Desk { $0.allowsWatch = false }
        #expect(closed.ask("watch") == "CLIENT_ERROR watch commands not allowed\r\n")
    }

    @Test func nothingIsPipelinedBeforeStreams() {
        var desk = Desk()
        for (line, name) in [
            ("watch", "watch"), ("lru_crawler metadump all", "metadump"),
            ("lru_crawler mgdump all", "mgdump"),
        ] {
            var reply = ReplyBuffer()
            reply.append("EN\r\n")
            let bytes = Array(line.utf8)
            guard case .answered = AdminCommands.execute(bytes.span, &desk.worker, &reply) else {
                Issue.record("\(line) was let through")
                continue
            }
            #expect(text(of: reply) == "EN\r\nERROR cannot pipeline other commands before \(name)\r\n")
        }
    }

    @Test func slabs() {
        var desk = Desk()
        for line in ["slabs", "slabs foo", "slabs reassign 1", "slabs reassign 1 2 3", "slabs automove",
            "slabs automove 3", "slabs automove ratio", "slabs automove ratio x"]
        {
            #expect(desk.ask(line) == "ERROR\r\n", "\(line)")
        }
        for line in ["slabs reassign a b", "slabs automove x", "slabs automove window",
            "slabs automove window x"]
        {
            #expect(desk.ask(line) == "CLIENT_ERROR bad command line format\r\n", "\(line)")
        }
        #expect(
            desk.ask("slabs automove window 2") == "CLIENT_ERROR automove window too low or too high\r\n")
        #expect(desk.ask("slabs automove ratio 0.7").hasPrefix("ERROR automove"))
        #expect(desk.ask("slabs automove 0") == "OK\r\n")
        #expect(desk.ask("stats settings").contains("STAT slab_automove 0\r\n"))
        var fixed = Desk { $0.stats.slabReassign = false }
        #expect(fixed.ask("slabs reassign 1 2") == "CLIENT_ERROR slab reassignment disabled\r\n")
    }

    @Test func lru() {
        var desk = Desk()
        for line in ["lru", "lru foo", "lru tune 1 2 3", "lru tune a b c d", "lru mode x", "lru temp_ttl x"] {
            #expect(desk.ask(line) == "ERROR\r\n", "\(line)")
        }
        #expect(desk.ask("lru tune 50 40 1 1") == "ERROR hot and warm pcts must not exceed 80\r\n")
        #expect(desk.ask("lru tune 4294967295 4294967295 1 1").hasPrefix("ERROR hot and warm"))
        #expect(desk.ask("lru tune 10 40 0 1") == "ERROR hot/warm age factors must be greater than 0\r\n")
        #expect(desk.ask("lru tune 10 40 nan 1") == "ERROR\r\n")
        #expect(desk.ask("lru temp_ttl -1") == "OK\r\n")
        #expect(desk.ask("lru temp_ttl 60").hasPrefix("ERROR temp_ttl has no effect"))
    }

    @Test func crawlerSwitchesAndPace() {
        var desk = Desk()
        #expect(desk.ask("lru_crawler") == "ERROR\r\n")
        #expect(desk.ask("lru_crawler foo bar") == "ERROR\r\n")
        #expect(desk.ask("lru_crawler enable") == "ERROR failed to start lru crawler thread\r\n")
        #expect(desk.ask("lru_crawler disable") == "OK\r\n")
        #expect(desk.ask("stats settings").contains("STAT lru_crawler no\r\n"))
        #expect(desk.ask("lru_crawler crawl all") == "CLIENT_ERROR lru crawler disabled\r\n")
        #expect(desk.ask("lru_crawler metadump all") == "CLIENT_ERROR lru crawler disabled\r\n")
        #expect(!desk.ask("stats").contains("lru_crawler_running"))
        #expect(desk.ask("lru_crawler enable") == "OK\r\n")
        #expect(desk.ask("stats").contains("STAT lru_crawler_running 0\r\n"))
        #expect(desk.ask("lru_crawler sleep x") == "CLIENT_ERROR bad command line format\r\n")
        #expect(desk.ask("lru_crawler sleep 1000001") == "CLIENT_ERROR sleep must be one second or less\r\n")
        #expect(desk.ask("lru_crawler sleep 200").hasPrefix("ERROR lru_crawler sleep has no effect"))
        #expect(desk.ask("lru_crawler tocrawl 5").hasPrefix("ERROR lru_crawler tocrawl has no effect"))
        #expect(desk.ask("lru_crawler tocrawl x") == "CLIENT_ERROR bad command line format\r\n")
        #expect(desk.ask("stats settings").contains("STAT lru_crawler_sleep 100\r\n"))
    }

    @Test func crawlerScopes() {
        var desk = Desk()
        #expect(desk.ask("lru_crawler crawl 0") == "BADCLASS invalid class id\r\n")
        #expect(desk.ask("lru_crawler crawl 250") == "BADCLASS invalid class id\r\n")
        #expect(desk.ask("lru_crawler crawl 300") == "BADCLASS invalid class id\r\n")
        #expect(desk.ask("lru_crawler crawl 1,x") == "BADCLASS invalid class id\r\n")
        #expect(desk.ask("lru_crawler crawl hash") == "ERROR an unknown error happened\r\n")
        #expect(desk.ask("lru_crawler metadump ,") == "NOTSTARTED no items to crawl\r\n")
        #expect(desk.ask("lru_crawler metadump +1") == "BADCLASS invalid class id\r\n")
        #expect(desk.ask("lru_crawler metadump") == "ERROR\r\n")
        #expect(CrawlerCommands.scope("2,3,2") == .classes([2, 3]))
    }

    @Test func dumpsWhereTheyAreForbidden() {
        var desk = Desk { $0.allowsDumps = false }
        #expect(desk.ask("lru_crawler metadump all") == "ERROR metadump not allowed\r\n")
        #expect(desk.ask("lru_crawler mgdump all") == "ERROR key dump not allowed\r\n")
        #expect(desk.ask("stats cachedump 1 0") == "CLIENT_ERROR stats cachedump not allowed\r\n")
        #expect(desk.ask("stats detail dump") == "CLIENT_ERROR stats detail not allowed\r\n")
    }

    @Test func dumpsOfNothing() {
        var desk = Desk()
        #expect(desk.ask("lru_crawler metadump all") == "OK\r\nEND\r\n")
        #expect(desk.ask("lru_crawler metadump hash") == "OK\r\nEND\r\n")
        #expect(desk.ask("lru_crawler mgdump all") == "OK\r\nEN\r\n")
        #expect(desk.ask("stats cachedump 1 10") == "END\r\n")
    }

    @Test func dumpLines() throws {
        var desk = Desk()
        desk.set("a:b", "abc", exptime: Moment(200), flags: 5)
        let meta = desk.ask("lru_crawler metadump all")
        let line = try #require(
            meta.firstMatch(
                of: /key=a%3Ab exp=1000200 la=1000100 cas=(\d+) fetch=no cls=(\d+) size=\d+ flags=5 \n/))
        #expect(meta == "OK\r\n" + line.0 + "END\r\n")
        #expect(desk.ask("lru_crawler mgdump \(line.2)") == "OK\r\nmg a:b\r\nEN\r\n")
        #expect(desk.ask("stats cachedump \(line.2) 0") == "ITEM a:b [3 b; 1000200 s]\r\nEND\r\n")
        #expect(desk.ask("stats cachedump 255 0") == "END\r\n")
        desk.set("never", "abc")
        #expect(desk.ask("lru_crawler metadump all").contains("key=never exp=-1 "))
        #expect(desk.ask("stats cachedump \(line.2) 1").split(separator: "\r\n").count == 2)
    }

    @Test func binaryKeysAreEncoded() {
        var desk = Desk()
        desk.set("\u{01}k", "v")
        #expect(desk.ask("lru_crawler mgdump all") == "OK\r\nmg AWs= b\r\nEN\r\n")
        #expect(desk.ask("lru_crawler metadump all").contains("key=%01k "))
    }

    @Test func dumpsSeeEveryItemInBoundedSteps() {
        var desk = Desk()
        for i in 0..<5000 { desk.set("key\(i)", "v") }
        var reply = ReplyBuffer()
        let line = Array("lru_crawler mgdump all".utf8)
        guard case .dump(let cursor) = AdminCommands.execute(line.span, &desk.worker, &reply) else {
            Issue.record("no dump")
            return
        }
        var keys = Set<String>()
        var steps = 0
        var isDone = false
        while !isDone, steps < 100_000 {
            isDone = cursor.proceed(&desk.worker, &reply)
            let lines = text(of: reply).split(separator: "\r\n")
            #expect(lines.count <= DumpCursor.itemsPerStep + 2)
            for line in lines where line.hasPrefix("mg ") { keys.insert(String(line.dropFirst(3))) }
            reply.reset(store: desk.worker.store)
            steps += 1
        }
        #expect(keys == Set((0..<5000).map { "key\($0)" }))
    }

    @Test func dumpsAtOnceAreBounded() {
        var desk = Desk()
        var cursors = [DumpCursor]()
        for _ in 0..<AdminState.dumpsMax {
            guard let cursor = DumpCursor(.metadump, classes: nil, desk.worker.admin) else { break }
            cursors.append(cursor)
        }
        #expect(cursors.count == AdminState.dumpsMax)
        #expect(desk.ask("lru_crawler metadump all") == "BUSY currently processing crawler request\r\n")
        cursors.removeLast()
        #expect(desk.ask("lru_crawler metadump all") == "OK\r\nEND\r\n")
    }

    @Test func statsSubcommands() {
        var desk = Desk()
        #expect(desk.ask("stats foo") == "ERROR\r\n")
        #expect(desk.ask("stats extstore") == "ERROR\r\n")
        #expect(desk.ask("stats proxy") == "ERROR\r\n")
        #expect(desk.ask("stats reset") == "RESET\r\n")
        #expect(desk.ask("stats items") == "END\r\n")
        #expect(desk.ask("stats cachedump 1") == "CLIENT_ERROR bad command line\r\n")
        #expect(desk.ask("stats cachedump x 1") == "CLIENT_ERROR bad command line format\r\n")
        #expect(desk.ask("stats cachedump 256 1") == "CLIENT_ERROR Illegal slab id\r\n")
        #expect(desk.ask("stats larder").hasPrefix("STAT larder_version"))
        #expect(desk.ask("stats").split(separator: "\r\n").count == 94)
    }

    @Test func statsSizes() {
        var desk = Desk()
        #expect(desk.ask("stats sizes") == "STAT sizes_status disabled\r\nEND\r\n")
        #expect(desk.ask("stats sizes_enable") == "STAT sizes_status enabled\r\nEND\r\n")
        #expect(desk.ask("stats settings").contains("STAT track_sizes yes\r\n"))
        #expect(desk.ask("stats sizes") == "END\r\n")
        desk.set("a", String(repeating: "x", count: 1000))
        desk.set("b", String(repeating: "x", count: 1000))
        #expect(desk.ask("stats sizes").contains(/^STAT 10(24|56) 2\r\nEND\r\n$/))
        #expect(desk.ask("stats sizes_disable") == "STAT sizes_status disabled\r\nEND\r\n")
    }

    @Test func statsDetail() {
        var desk = Desk()
        #expect(desk.ask("stats detail") == "CLIENT_ERROR usage: stats detail on|off|dump\r\n")
        #expect(desk.ask("stats detail x") == "CLIENT_ERROR usage: stats detail on|off|dump\r\n")
        #expect(desk.ask("stats detail dump") == "END\r\n")
        #expect(desk.worker.observers == 0)
        #expect(desk.ask("stats detail on") == "OK\r\n")
        #expect(desk.worker.observers != 0)
        let key = Array("foo:1".utf8)
        desk.worker.observeFetch(key.span, miss: .notFound, slabClass: 0, size: 0)
        desk.worker.observeStore(key.span, .stored, .set, exptime: .never, slabClass: 1, size: 1)
        desk.worker.observeDelete(key.span, .delete, wasFound: false, slabClass: 0, size: 0)
        let plain = Array("nodelimiter".utf8)
        desk.worker.observeFetch(plain.span, miss: nil, slabClass: 1, size: 1)
        #expect(desk.ask("stats detail dump") == "PREFIX foo get 1 hit 0 set 1 del 1\r\nEND\r\n")
        #expect(desk.ask("stats detail off") == "OK\r\n")
        #expect(desk.worker.observers == 0)
        #expect(desk.ask("stats reset") == "RESET\r\n")
        #expect(desk.ask("stats detail dump") == "END\r\n")
        var on = Desk { $0.detailEnabled = true }
        on.worker.refreshObservers()
        #expect(on.worker.observers != 0)
    }
}
