// Real clients, unchanged, at their ordinary work. Their scripts stand in Clients/; what isn't installed is
// skipped with a word, except in CI, which has to have it all.
import Foundation
import Testing

@Suite struct ClientTests {
    private static let scripts = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("Clients").path

    /// The Python that has the client libraries: `LARDER_PYTHON`, or the system's.
    private static let python = Surroundings.variable("LARDER_PYTHON") ?? Surroundings.find("python3")

    struct PythonClient: Sendable, CustomTestStringConvertible {
        let script: String
        let modules: String
        var testDescription: String { script }
    }

    static let pythonClients = [
        PythonClient(script: "pymemcache_client.py", modules: "pymemcache"),
        PythonClient(script: "pylibmc_client.py", modules: "pylibmc"),
        PythonClient(script: "python_memcached_client.py", modules: "memcache"),
        PythonClient(script: "django_client.py", modules: "django, pymemcache, pylibmc"),
        PythonClient(script: "meta_memcache_client.py", modules: "meta_memcache"),
        PythonClient(script: "aiomcache_client.py", modules: "aiomcache"),
        PythonClient(script: "emcache_client.py", modules: "emcache"),
        PythonClient(script: "memcachio_client.py", modules: "memcachio"),
        PythonClient(script: "libmc_client.py", modules: "libmc"),
    ]

    @Test(arguments: pythonClients) func python(_ client: PythonClient) throws {
        let there =
            try Self.python.map {
                try ChildProcess.run($0, ["-c", "import \(client.modules)"], upTo: 60).ending == .exited(0)
            } ?? false
        try Surroundings.require(there, "Python's \(client.modules)")
        try run(Self.python!, [client.script])
    }

    @Test func php() throws {
        let php = Surroundings.find("php")
        let there = try php.map { try ChildProcess.run($0, ["-m"]).output.contains("memcached") } ?? false
        try Surroundings.require(there, "php with php-memcached")
        try run(php!, ["php_client.php"])
    }

    @Test func perl() throws {
        let perl = Surroundings.find("perl")
        let there =
            try perl.map {
                try ChildProcess.run($0, ["-MCache::Memcached", "-e", "1"]).ending == .exited(0)
            } ?? false
        try Surroundings.require(there, "Perl's Cache::Memcached")
        try run(perl!, ["perl_client.pl"])
    }

    /// Runs a script of Clients/ against a daemon of its own; it says `ok` as its last word.
    private func run(_ interpreter: String, _ arguments: [String]) throws {
        try withDaemon { daemon in
            let script = [Self.scripts + "/" + arguments[0]] + arguments.dropFirst()
            let said = try ChildProcess.run(
                interpreter, script + ["127.0.0.1", String(daemon.port)],
                environment: ["PYTHONDONTWRITEBYTECODE": "1"], upTo: 120)
            #expect(said.ending == .exited(0), "\(said.output)\(said.errors)")
            #expect(said.output.hasSuffix("ok\n"))
        }
    }

    // MARK: libmemcached's tools

    /// Two of its 27 cases expect `delete` to refuse a time, as 1.6.18 does and later memcached doesn't.
    @Test func memccapable() throws {
        let tool = Surroundings.find("memccapable")
        try Surroundings.require(tool != nil, "memccapable (libmemcached-tools)")
        try withDaemon { daemon in
            let said = try ChildProcess.run(
                tool!, ["-h", "127.0.0.1", "-p", String(daemon.port), "-a"], upTo: 60)
            let rows = (said.output + said.errors).split(separator: "\n").map(String.init)
            let passed = rows.filter { $0.hasSuffix("[pass]") }
            let failed = rows.filter { $0.hasSuffix("[FAIL]") }
            #expect(passed.count == 25 && failed.count == 2, "\(rows.joined(separator: "\n"))")
        }
    }

    @Test func libmemcachedTools() throws {
        for tool in [
            "memcstat", "memccp", "memccat", "memcrm", "memcexist", "memcping", "memctouch", "memcflush",
        ] {
            try Surroundings.require(Surroundings.find(tool) != nil, "\(tool) (libmemcached-tools)")
        }
        try withDaemon { daemon in
            let server = "--servers=127.0.0.1:\(daemon.port)"
            let file = daemon.folder.path("greeting")
            try "hello".write(toFile: file, atomically: true, encoding: .utf8)
            func tool(_ name: String, _ arguments: String...) throws -> (
                ending: ChildProcess.Ending, output: String
            ) {
                let said = try ChildProcess.run(Surroundings.find(name)!, [server] + arguments)
                return (said.ending, said.output)
            }
            #expect(try tool("memcping").ending == .exited(0))
            #expect(try tool("memccp", file).ending == .exited(0))
            #expect(try tool("memccat", "greeting").output == "hello\n")
            #expect(try tool("memcexist", "greeting").ending == .exited(0))
            #expect(try tool("memctouch", "--expire=100", "greeting").ending == .exited(0))
            #expect(try tool("memcstat").output.contains("curr_items: 1"))
            #expect(try tool("memcrm", "greeting").ending == .exited(0))
            #expect(try tool("memcexist", "greeting").ending != .exited(0))
            #expect(try tool("memcflush").ending == .exited(0))
        }
    }

    // MARK: programs in front of a cache

    @Test func nginxServesFromTheCache() throws {
        let nginx = Surroundings.find("nginx"), curl = Surroundings.find("curl")
        try Surroundings.require(nginx != nil && curl != nil, "nginx and curl")
        try withDaemon { daemon in
            let page = String(repeating: "<p>page</p>", count: 5000)
            try daemon.connect().ask("set /page 0 0 \(page.utf8.count)\r\n\(page)\r\n", "STORED\r\n")
            let folder = try TemporaryFolder(), port = try ListenerTests.freePort()
            let user = Surroundings.runsAsRoot ? "user root;" : ""
            try """
            \(user) daemon off; pid \(folder.path("pid")); error_log \(folder.path("log"));
            events {}
            http {
                access_log off;
                client_body_temp_path \(folder.path("a")); proxy_temp_path \(folder.path("b"));
                fastcgi_temp_path \(folder.path("c")); uwsgi_temp_path \(folder.path("d"));
                scgi_temp_path \(folder.path("e"));
                upstream cache { server 127.0.0.1:\(daemon.port); keepalive 8; }
                server {
                    listen 127.0.0.1:\(port);
                    location / { set $memcached_key $uri; memcached_pass cache; }
                }
            }
            """.write(toFile: folder.path("nginx.conf"), atomically: true, encoding: .utf8)
            let process = try ChildProcess(
                nginx!, ["-p", folder.root, "-c", folder.path("nginx.conf")], folder: folder)
            defer {
                process.signal(SIGTERM)
                _ = try? process.waitForEnd()
            }
            try wait(for: "nginx: \(process.errors)") { (try? Wire.tcp(port)) != nil }
            for _ in 0..<20 {
                #expect(try ChildProcess.run(curl!, ["-s", "http://127.0.0.1:\(port)/page"]).output == page)
                let missing = [
                    "-s", "-o", "/dev/null", "-w", "%{http_code}", "http://127.0.0.1:\(port)/none",
                ]
                #expect(try ChildProcess.run(curl!, missing).output == "404")
            }
        }
    }
}
