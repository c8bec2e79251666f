// What stands around the program, held against the program: man page, completions, the install script, the
// Debian package.
import Foundation
import Testing

@testable import LarderServer

@Suite struct PackagingTests {
    private static let tree = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().path

    private static func file(_ name: String) throws -> String {
        try String(contentsOfFile: tree + "/systemd/" + name, encoding: .utf8)
    }

    /// Every spelling that `larder --help` lists: `-m`, `--memory-limit`, `max_items`.
    private static var spellings: [String] {
        OptionTable.all.filter { Help.isListed($0) }.flatMap { option in
            switch option.spelling {
            case .letter(let letter, let long): ["-\(letter)"] + (long.isEmpty ? [] : ["--\(long)"])
            case .long(let name): ["--\(name)"]
            case .extended(let word): [word]
            }
        }
    }

    /// Whether the words of `text` have this one, not as a part of another.
    private static func has(_ word: String, in text: String) -> Bool {
        var rest = text[...]
        func isPart(_ character: Character?) -> Bool {
            character.map { $0.isLetter || $0.isNumber || $0 == "_" } ?? false
        }
        while let found = rest.range(of: word) {
            let before = found.lowerBound > text.startIndex ? text[text.index(before: found.lowerBound)] : nil
            let after = found.upperBound < text.endIndex ? text[found.upperBound] : nil
            if !isPart(before), !isPart(after), after != "-" { return true }
            rest = rest[found.upperBound...]
        }
        return false
    }

    @Test func theManualKnowsEveryOption() throws {
        let manual = try Self.file("larder.1").replacingOccurrences(of: "\\-", with: "-")
            .replacingOccurrences(of: "\\fB", with: " ").replacingOccurrences(of: "\\fR", with: " ")
        #expect(Self.spellings.count > 60)
        for word in Self.spellings + ["top", "--health"] {
            #expect(Self.has(word, in: manual), "larder.1 lacks \(word)")
        }
        #expect(!Self.has("--no-such-option", in: manual))
        #expect(manual.contains("\"Larder \(Version.larder)\""))
    }

    @Test func theManualIsCleanForMan() throws {
        let man = Surroundings.find("man")
        try Surroundings.require(man != nil, "man")
        let said = try ChildProcess.run(
            man!, ["-l", "--warnings", Self.tree + "/systemd/larder.1"],
            environment: ["MANWIDTH": "80", "LC_ALL": "C.UTF-8"])
        #expect(said.ending == .exited(0))
        #expect(said.errors.isEmpty, "\(said.errors)")
        #expect(said.output.contains("--memory-limit=MB"))
    }

    @Test func completionsKnowEveryOption() throws {
        for shell in ["larder.bash", "_larder", "larder.fish"] {
            var text = try Self.file("completions/" + shell)
            if shell == "larder.fish" {
                // There a letter is `-s m`, a long name `-l memory-limit`.
                text = text.replacingOccurrences(of: " -l ", with: " --").replacingOccurrences(
                    of: " -s ", with: " -")
            }
            for word in Self.spellings + ["top", "--health"] {
                #expect(Self.has(word, in: text), "\(shell) lacks \(word)")
            }
        }
        let parsed = try ChildProcess.run(
            "/bin/bash", ["-n", Self.tree + "/systemd/completions/larder.bash"])
        #expect(parsed.ending == .exited(0), "\(parsed.errors)")
    }

    private static func files(below root: String) -> Set<String> {
        let all = FileManager.default.enumerator(atPath: root)?.compactMap { $0 as? String } ?? []
        return Set(
            all.filter {
                var isFolder: ObjCBool = false
                return FileManager.default.fileExists(atPath: root + "/" + $0, isDirectory: &isFolder)
                    && !isFolder.boolValue
            })
    }

    /// systemd's verdict on the units in a root of their own, where the program they start is in its place.
    private static func verifyUnits(in root: String) throws {
        guard let verifier = Surroundings.find("systemd-analyze") else { return }
        let files = FileManager.default
        let units = root + "/lib/systemd/system"
        try files.createDirectory(atPath: units, withIntermediateDirectories: true)
        try files.createDirectory(atPath: root + "/bin", withIntermediateDirectories: true)
        defer { for folder in ["/lib", "/bin"] { try? files.removeItem(atPath: root + folder) } }
        for target in ["sysinit", "basic", "shutdown", "network", "sockets"] {
            try "[Unit]\nDescription=\(target)\n".write(
                toFile: "\(units)/\(target).target", atomically: true, encoding: .utf8)
        }
        try files.copyItem(atPath: "/bin/true", toPath: root + "/bin/kill")
        let names = ["larder.service", "larder@one.service", "larder.socket"]
        let said = try ChildProcess.run(verifier, ["verify", "--root=" + root, "--man=no"] + names)
        #expect(said.ending == .exited(0) && said.errors.isEmpty, "\(said.errors)")
    }

    /// What it puts there serves; what it takes away is all but the options.
    @Test func installsAndRemoves() throws {
        let folder = try TemporaryFolder()
        let places = ["DESTDIR": folder.path("root"), "LARDER_BINARY": Surroundings.daemon]
        let script = Self.tree + "/systemd/install"
        let installed = try ChildProcess.run("/bin/bash", [script], environment: places, upTo: 60)
        #expect(installed.ending == .exited(0), "\(installed.errors)")
        let files = Self.files(below: folder.path("root"))
        for name in ["usr/local/bin/larder", "etc/systemd/system/larder.service", "etc/default/larder",
            "etc/systemd/system/larder@.service", "usr/local/share/man/man1/larder.1.gz",
            "usr/local/share/bash-completion/completions/larder",
            "usr/local/share/larder/prometheus/alerts.yml"] {
            #expect(files.contains(name), "\(name) is not there")
        }
        let unit = try String(
            contentsOfFile: folder.path("root/etc/systemd/system/larder.service"), encoding: .utf8)
        #expect(unit.contains("ExecStart=/usr/local/bin/larder $LARDER_OPTIONS"))
        #expect(files.contains("usr/local/share/zsh/site-functions/_larder"))
        #expect(files.contains("etc/fish/completions/larder.fish"))
        let asked = try ChildProcess.run(folder.path("root/usr/local/bin/larder"), ["--version"])
        #expect(asked.output.hasPrefix("larder \(Version.larder)"))
        try Self.verifyUnits(in: folder.path("root"))
        let removed = try ChildProcess.run("/bin/bash", [script, "--remove"], environment: places)
        #expect(removed.ending == .exited(0), "\(removed.errors)")
        #expect(Self.files(below: folder.path("root")) == ["etc/default/larder"])
        // Folders that others use, too, stay; its own go.
        let share = folder.path("root/usr/local/share")
        #expect(FileManager.default.fileExists(atPath: share + "/man/man1"))
        #expect(!FileManager.default.fileExists(atPath: share + "/larder"))
    }

    /// Of the release build, if it has been made: a debug build takes long to pack, and nobody would.
    @Test func makesADebianPackage() throws {
        let tools = ["dpkg-shlibdeps", "dpkg-deb"].map { Surroundings.find($0) }
        try Surroundings.require(!tools.contains(nil), "dpkg-dev")
        let binary = Self.tree + "/.build/release/larder"
        try Surroundings.require(FileManager.default.isExecutableFile(atPath: binary), "a release build")
        let folder = try TemporaryFolder()
        let made = try ChildProcess.run(
            "/bin/bash", [Self.tree + "/systemd/package", folder.root],
            environment: ["LARDER_BINARY": binary], upTo: 120)
        #expect(made.ending == .exited(0), "\(made.errors)")
        let name = try FileManager.default.contentsOfDirectory(atPath: folder.root)
            .first { $0.hasSuffix(".deb") } ?? "none"
        #expect(name.hasPrefix("larder_\(Version.larder)_"))
        let fields = try ChildProcess.run(tools[1]!, ["--field", folder.path(name)]).output
        #expect(fields.contains("libevent-core-2.1-7") && fields.contains("libssl3"), "\(fields)")
        let content = try ChildProcess.run(tools[1]!, ["--contents", folder.path(name)]).output
        for file in ["./usr/bin/larder", "./etc/default/larder", "./lib/systemd/system/larder.service"] {
            #expect(content.contains("root/root") && content.contains(file), "\(file) is not there")
        }
    }

    /// Exit status and line of `larder --health`.
    @Test func healthIsAnExitStatus() throws {
        try withDaemon { daemon in
            let good = try ChildProcess.run(Surroundings.daemon, ["--health", "127.0.0.1:\(daemon.port)"])
            #expect(good.ending == .exited(0))
            #expect(good.output == "127.0.0.1:\(daemon.port) serves: 1.6.45\n")
            let options = try ChildProcess.run(Surroundings.daemon, ["--health", "-p", "\(daemon.port)"])
            #expect(options.ending == .exited(0) && options.output == good.output)
        }
        let folder = try TemporaryFolder()
        let path = folder.path("larder.sock")
        let local = try Daemon(
            ["-s", path], folder: folder, picksPort: false, waitsForPorts: false)
        try wait(for: "the socket") { FileManager.default.fileExists(atPath: path) }
        #expect(try ChildProcess.run(Surroundings.daemon, ["--health", "-s", path]).ending == .exited(0))
        try local.stop()
        #expect(try ChildProcess.run(Surroundings.daemon, ["--health", "-s", path]).ending == .exited(1))
        for words in [["-p"], ["-p", "http"], ["-p", "0"], ["-s", ""], ["-x", "1"]] {
            #expect(try ChildProcess.run(Surroundings.daemon, ["--health"] + words).ending == .exited(64))
        }
        let nobody = try ChildProcess.run(Surroundings.daemon, ["--health", "/nonexistent/socket"])
        #expect(nobody.ending == .exited(1))
        #expect(try ChildProcess.run(Surroundings.daemon, ["--health", "a", "b"]).ending == .exited(64))
    }

    /// A listener that takes connections and says nothing is not healthy.
    @Test func healthDoesNotWaitForEver() throws {
        let socket = try BoundSocket()
        let began = Clock.now
        let silent = try ChildProcess.run(Surroundings.daemon, ["--health", "\(socket.port)"])
        #expect(silent.ending == .exited(1))
        #expect(Clock.now - began < 10)
    }
}
