// Memory that can't be had, call by call: whatever allocation fails, the client is told or turned away,
// nobody gets a wrong answer, the daemon lives on and nothing leaks. What Swift's runtime allocates by itself
// is left out: it ends the process by design.
import Foundation
import Testing

@Suite(.serialized) struct AllocationTests {
    private static let options = ["-t", "1", "-m", "64", "-o", "no_drop_privileges"]

    private func start(_ scene: any AllocationScene, _ memory: FailingMemory) throws -> Daemon {
        memory.fail(0)
        let daemon = try Daemon(Self.options + scene.options, environment: memory.environment)
        try wait(for: "the daemon to serve") { daemon.process.errors.contains("listens on") }
        return daemon
    }

    /// Plays the scene while the `number`th allocation fails, and judges it; where that was, or nil if there
    /// were not so many. Afterwards the daemon answers as if nothing had been.
    private func fail(
        _ number: Int, _ scene: any AllocationScene, _ daemon: Daemon, _ memory: FailingMemory
    ) throws -> String? {
        try scene.prepare(daemon)
        let (fault, site) = memory.failing(number) { () -> String? in
            do { return try scene.play(daemon, strictly: false) } catch { return "\(error)" }
        }
        let place = "allocation \(number), \(site ?? "none")"
        #expect(fault == nil, "\(place): \(fault ?? "")")
        if let ending = daemon.process.hasEnded {
            throw Trouble("\(place): the daemon ended: \(ending) \(daemon.process.errors.suffix(2000))")
        }
        try scene.prepare(daemon)
        if let later = try scene.play(daemon, strictly: true) { Issue.record("after \(place): \(later)") }
        return site
    }

    /// The blocks in use once everybody else has gone.
    private func settled(_ daemon: Daemon, _ memory: FailingMemory) throws -> Int {
        var last = -1
        var same = 0
        try wait(for: "memory to come to rest") {
            usleep(2000)
            let now = memory.liveBlocks
            same = now == last ? same + 1 : 0
            last = now
            return same > 10
        }
        return last
    }

    /// In daemons that have served nobody yet: the first of everything is asked for then.
    @Test(arguments: AllocationWay.allCases) func inFreshDaemons(_ way: AllocationWay) throws {
        if Surroundings.sanitizer != nil { return }
        let memory = try FailingMemory()
        let scene = try way.make()
        if scene.hasManyPlaces, !Surroundings.isLong { return }
        let first = try start(scene, memory)
        try scene.prepare(first)
        let numbers = try memory.choice(5) {
            if let fault = try scene.play(first, strictly: true) { throw Trouble(fault) }
        }
        try first.stop()
        var sites = Set<String>()
        for number in numbers {
            let daemon = try start(scene, memory)
            if let site = try fail(number, scene, daemon, memory) { sites.insert(site) }
            try daemon.stop()
        }
        print("allocations, \(way): \(numbers.count) failed, at \(sites.count) places: \(sites.sorted())")
        #expect(sites.count > 1)
    }

    /// In one daemon, over and over: the blocks in use come back to where they were.
    @Test(arguments: AllocationWay.allCases) func nothingLeaks(_ way: AllocationWay) throws {
        if Surroundings.sanitizer != nil { return }
        let memory = try FailingMemory()
        let scene = try way.make()
        let daemon = try start(scene, memory)
        for _ in 0..<3 {
            try scene.prepare(daemon)
            if let fault = try scene.play(daemon, strictly: true) { throw Trouble(fault) }
        }
        let before = try settled(daemon, memory)
        try scene.prepare(daemon)
        let numbers = try memory.choice(scene.more, everyPlace: !scene.hasManyPlaces) {
            _ = try scene.play(daemon, strictly: true)
        }
        var failures = 0
        var kept = 0
        let start = Clock.now
        func most() -> Int { before + 2 + kept + Int((Clock.now - start) * scene.blocksPerSecond) }
        for number in numbers {
            guard let site = try fail(number, scene, daemon, memory) else { continue }
            failures += 1
            guard try settled(daemon, memory) > most() else { continue }
            // What is kept once and for all is no leak: that is lost each time.
            let first = try settled(daemon, memory)
            for _ in 0..<4 { _ = try fail(number, scene, daemon, memory) }
            let lost = try settled(daemon, memory) - first
            let allowed = most() - before + 3
            if lost > allowed { Issue.record("\(way): call \(number), \(site): \(lost) blocks leaked") }
            kept += max(0, try settled(daemon, memory) - most())
        }
        print(
            "allocations, \(way): \(failures) of \(numbers.count) failed, \(before) blocks before,",
            "\(try settled(daemon, memory)) after")
        #expect(failures >= 3)
        try daemon.stop()
    }

    /// Where the system gives nothing any more, what would be answered with Swift's strings is refused, and
    /// requests are served all the same.
    @Test func nothingLeftForOperators() throws {
        if Surroundings.sanitizer != nil { return }
        try withDaemon("-t", "2", "--http=-1") { daemon in
            let wire = try daemon.connect()
            try wire.ask("set a 0 0 1\r\nx\r\n", "STORED\r\n")
            #expect(try wire.stats().count > 50)
            try daemon.limit("data", to: "1")
            for ask in ["stats", "stats conns", "lru_crawler metadump all", "watch", "stats detail dump"] {
                try wire.ask(ask + "\r\nmn\r\n", "SERVER_ERROR out of memory\r\nMN\r\n")
            }
            #expect(try daemon.http("/metrics").status == 503)
            try wire.ask("get a\r\nset b 0 0 1\r\ny\r\n", "VALUE a 0 1\r\nx\r\nEND\r\nSTORED\r\n")
            try daemon.limit("data", to: "unlimited")
            #expect(try wire.stats().count > 50)
            try wait(for: "pages again") { (try? daemon.http("/metrics").status) == 200 }
        }
    }

    /// At start: it runs, or it says why not and ends.
    @Test func everyAllocationOfAStart() throws {
        if Surroundings.sanitizer != nil { return }
        let memory = try FailingMemory()
        var number = 1
        while try failAtStart(number, memory) { number += 1 }
        print("allocations: \(number - 1) calls of a start failed in turn")
    }

    /// False if the start made fewer calls.
    private func failAtStart(_ number: Int, _ memory: FailingMemory) throws -> Bool {
        let folder = try TemporaryFolder()
        let user = Surroundings.runsAsRoot ? ["-u", "root"] : []
        let (child, site) = try memory.failing(number) {
            let child = try ChildProcess(
                Surroundings.daemon, ["-p", "-1"] + user + Self.options, folder: folder,
                environment: memory.environment.merging(["MEMCACHED_PORT_FILENAME": folder.path("ports")]) {
                    $1
                })
            try wait(for: "the daemon to start or to end") {
                child.errors.contains("listens on") || child.hasEnded != nil
            }
            return child
        }
        let runs = child.hasEnded == nil
        if runs {
            let text = (try? String(contentsOfFile: folder.path("ports"), encoding: .utf8)) ?? ""
            let port = Daemon.parse(text).first?.port ?? 0
            try Wire.tcp(port).ask("set a 0 0 1\r\nx\r\nget a\r\n", "STORED\r\nVALUE a 0 1\r\nx\r\nEND\r\n")
            child.signal(SIGTERM)
        } else {
            #expect(!child.errors.isEmpty, "\(number), \(site ?? "")")
        }
        let ending = try child.waitForEnd()
        #expect(ending == .exited(runs ? 0 : 71), "\(number), \(site ?? ""): \(ending)")
        return site != nil
    }
}
