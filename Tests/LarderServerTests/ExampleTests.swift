// The examples the README points to, run as they stand.
import Foundation
import Synchronization
import Testing

@Suite struct ExampleTests {
    private static let scripts = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("Clients").path

    @Test(arguments: [("python3", "cache_aside.py"), ("php", "cache_aside.php")])
    func cacheAside(_ interpreter: String, _ script: String) throws {
        let program = Surroundings.find(interpreter)
        try Surroundings.require(program != nil, interpreter)
        try withDaemon { daemon in
            let said = try ChildProcess.run(
                program!, [Self.scripts + "/" + script, "127.0.0.1", String(daemon.port)],
                environment: ["PYTHONDONTWRITEBYTECODE": "1"], upTo: 60)
            #expect(said.ending == .exited(0), "\(said.output)\(said.errors)")
            #expect(said.output.hasSuffix("ok\n"), "\(said.output)\(said.errors)")
        }
    }

    @Test func cacheAsideInSwift() throws {
        try withDaemon { daemon in
            let port = daemon.port
            func crowd(_ fresh: String) -> (loads: Int, got: [String]) {
                let result = Mutex((loads: 0, got: [String]()))
                DispatchQueue.concurrentPerform(iterations: 8) { _ in
                    let cache = Cache(host: "127.0.0.1", port: port)
                    let value = try? cache.fetch("example:swift", ttl: 60) {
                        result.withLock { $0.loads += 1 }
                        usleep(200_000)
                        return Array(fresh.utf8)
                    }
                    result.withLock { $0.got.append(String(decoding: value ?? [], as: UTF8.self)) }
                }
                return result.withLock { $0 }
            }
            let first = crowd("value 1")
            #expect(first.loads == 1 && Set(first.got) == ["value 1"])
            let cache = Cache(host: "127.0.0.1", port: port)
            try cache.invalidate("example:swift")
            let second = crowd("value 2")
            #expect(second.loads == 1 && second.got.contains("value 2"))
            #expect(Set(second.got).isSubset(of: ["value 1", "value 2"]))
            // A load that fails leaves the next one a chance.
            _ = try cache.ask("md example:swift")
            #expect(throws: Trouble.self) {
                try cache.fetch("example:swift", ttl: 60) { throw Trouble("database away") }
            }
            #expect(try cache.fetch("example:swift", ttl: 60) { [65] } == [65])
            #expect(try Cache(host: "127.0.0.1", port: 1).fetch("k", ttl: 60) { [66] } == [66])
        }
    }
}
