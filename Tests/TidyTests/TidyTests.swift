// The house rules, read off the sources themselves: sizes, who may import what, and where unsafe code may
// stand.
import Foundation
import Testing

@Suite struct TidyTests {
    static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().path

    struct SourceFile {
        /// From the root, as in `Sources/LarderStore/Item.swift`.
        let path: String
        let lines: [String]
        var name: String { (path as NSString).lastPathComponent }
        var room: String { path.split(separator: "/").dropFirst().first.map(String.init) ?? "" }
    }

    static let files: [SourceFile] = {
        var files: [SourceFile] = []
        for top in ["Sources", "Tests"] {
            let names =
                FileManager.default.enumerator(atPath: root + "/" + top)?.compactMap { $0 as? String } ?? []
            for name in names.sorted() where [".swift", ".c", ".h"].contains(where: { name.hasSuffix($0) }) {
                let text = (try? String(contentsOfFile: "\(root)/\(top)/\(name)", encoding: .utf8)) ?? ""
                files.append(SourceFile(path: top + "/" + name, lines: text.components(separatedBy: "\n")))
            }
        }
        return files
    }()

    static var sources: [SourceFile] { files.filter { $0.path.hasPrefix("Sources/") } }

    private func expectNone(
        _ faults: [String], _ rule: Comment, sourceLocation: SourceLocation = #_sourceLocation
    ) {
        #expect(faults.isEmpty, "\(rule): \(faults.joined(separator: "\n"))", sourceLocation: sourceLocation)
    }

    @Test func filesAreFound() {
        #expect(Self.sources.count > 20)
    }

    @Test func filesAreShort() {
        expectNone(
            Self.files.filter { $0.lines.count > 501 }.map { "\($0.path): \($0.lines.count)" },
            "no file over 500 lines")
    }

    @Test func linesAreShort() {
        let faults = Self.files.flatMap { file in
            file.lines.enumerated().filter { $0.element.count > 110 }.map { "\(file.path):\($0.offset + 1)" }
        }
        expectNone(faults, "no line over 110 columns")
    }

    @Test func linesAreClean() {
        let faults = Self.files.flatMap { file in
            file.lines.enumerated().filter { $0.element.contains("\t") || $0.element.hasSuffix(" ") }
                .map { "\(file.path):\($0.offset + 1)" }
        }
        expectNone(faults, "no tab, no blank at a line's end")
    }

    @Test func filesSayWhatTheyAreFor() {
        let faults = Self.files.filter { $0.name != "main.swift" && !$0.name.hasSuffix(".c") }
            .filter {
                !["//", "/*"].contains(
                    $0.lines.first { !$0.isEmpty && !$0.hasPrefix("#") }.map { String($0.prefix(2)) })
            }
            .map(\.path)
        expectNone(faults, "a file opens with the sentence that says what it is for")
    }

    // MARK: functions

    /// From a line that opens a function, initialiser or test to the line that closes it at the same
    /// indentation.
    @Test func functionsAreShort() {
        var faults: [String] = []
        for file in Self.files where file.name.hasSuffix(".swift") {
            for (index, line) in file.lines.enumerated() where Self.opensFunction(line) {
                let indentation = line.prefix { $0 == " " }
                let closing = indentation + "}"
                guard
                    let last = file.lines[index...].firstIndex(where: {
                        $0 == closing || $0.hasPrefix(closing + " ")
                    })
                else { continue }
                if last - index + 1 > 70 {
                    faults.append("\(file.path):\(index + 1) has \(last - index + 1) lines")
                }
            }
        }
        expectNone(faults, "no function over 70 lines")
    }

    private static func opensFunction(_ line: String) -> Bool {
        let text = line.drop { $0 == " " }
        // A requirement of a protocol has no body; a signature of several lines ends its first with a
        // parenthesis.
        guard line.hasSuffix("{") || line.hasSuffix("("), !text.hasPrefix("//") else { return false }
        let words = text.split { !($0.isLetter || $0 == "_") }
        let modifiers: Set<Substring> = [
            "public", "private", "fileprivate", "internal", "package", "static", "mutating", "consuming",
            "borrowing",
            "final", "inline", "__always", "never", "Test", "discardableResult", "unsafe", "convenience",
            "override",
            "usableFromInline", "inlinable", "nonmutating", "noinline", "arguments",
        ]
        let head = words.first { !modifiers.contains($0) }
        return head == "func" || head == "init" || head == "deinit"
    }

    // MARK: walls

    @Test func noFoundationInTheDaemon() {
        let faults = Self.sources.flatMap { file in
            file.lines.filter { $0.contains("import Foundation") || $0.contains("import Dispatch") }.map {
                _ in file.path
            }
        }
        expectNone(faults, "no Foundation in Sources")
    }

    @Test func arrowsPointOneWay() {
        let allowed: [String: Set<String>] = [
            "CIntrinsics": [], "CLibevent": [], "COpenSSL": [], "CSystem": [],
            "LarderStore": ["CIntrinsics"],
            "LarderProtocol": ["LarderStore"],
            "LarderServer": ["LarderProtocol", "LarderStore", "CLibevent", "COpenSSL", "CSystem"],
            "LarderTop": ["CSystem"],
            "larder": ["LarderServer", "LarderTop"],
            "larder-bench": ["LarderProtocol", "LarderStore"],
        ]
        let rooms = Set(allowed.keys)
        let faults = Self.sources.flatMap { file in
            Self.imports(file).filter { rooms.contains($0) && !(allowed[file.room] ?? []).contains($0) }
                .map { "\(file.path) imports \($0)" }
        }
        expectNone(faults, "nothing below calls up")
    }

    private static func imports(_ file: SourceFile) -> [String] {
        file.lines.compactMap { line in
            let words = line.split(separator: " ")
            guard let at = words.firstIndex(of: "import"), at < 3, words.count > at + 1, !line.hasPrefix("//")
            else {
                return nil
            }
            return String(words.last!)
        }
    }

    @Test func libeventIsImportedInFewPlaces() {
        let faults = Self.sources.filter { Self.imports($0).contains("CLibevent") }
            .filter { UnsafeCode.importersOfLibevent[$0.name] == nil }.map(\.path)
        expectNone(faults, "CLibevent is imported in the files of the table only")
    }

    @Test func openSSLIsImportedInFewPlaces() {
        let faults = Self.sources.filter { Self.imports($0).contains("COpenSSL") }
            .filter { UnsafeCode.importersOfOpenSSL[$0.name] == nil }.map(\.path)
        expectNone(faults, "COpenSSL is imported in the files of the table only")
    }

    // MARK: unsafe code

    @Test func unsafeCodeStandsInNamedFiles() {
        var faults: [String] = []
        for file in Self.sources where file.name.hasSuffix(".swift") {
            for construct in UnsafeCode.Construct.allCases {
                let used = file.lines.contains { construct.appears(in: $0) }
                let listed =
                    UnsafeCode.table["\(file.room)/\(file.name)"]?.constructs.contains(construct) ?? false
                if used && !listed { faults.append("\(file.path) uses \(construct.rawValue)") }
                if !used && listed { faults.append("\(file.path) no longer uses \(construct.rawValue)") }
            }
        }
        let names = Set(Self.sources.map { "\($0.room)/\($0.name)" })
        faults += UnsafeCode.table.keys.filter { !names.contains($0) }.map {
            "\($0) is listed and doesn't exist"
        }
        expectNone(faults, "unsafe constructs stand in the files of the table, with their reason")
    }

    @Test func theProtocolIsSafe() {
        let faults = Self.sources.filter { $0.room == "LarderProtocol" }.flatMap { file in
            file.lines.enumerated().filter { _, line in
                let code = line.components(separatedBy: "//")[0]
                return UnsafeCode.Construct.allCases.contains { $0.appears(in: code) }
                    || code.contains("@unsafe") || code.contains(" unsafe ") || code.contains("withUnsafe")
            }.map { "\(file.path):\($0.offset + 1)" }
        }
        expectNone(faults, "no unsafe in LarderProtocol")
    }

    // MARK: README

    @Test func theMapNamesEverySourceFileOnce() throws {
        let text = try String(contentsOfFile: Self.root + "/README.md", encoding: .utf8)
        var faults: [String] = []
        for file in Self.sources {
            let count = text.components(separatedBy: "`\(file.name)`").count - 1
            // Two rooms may have a file of the same name: then it stands once for each.
            let wanted = Self.sources.filter { $0.name == file.name }.count
            if count != wanted { faults.append("\(file.path): \(count) times") }
        }
        expectNone(faults, "README's map names every source file once")
    }

    /// The tree is for any machine: nothing in it names the one it was written on.
    @Test func nothingNamesOneMachine() {
        let words = ["/" + "work/", "/" + "tmp/peers", "/" + "tmp/w-", "/" + "root/"]
        let faults = Self.files.flatMap { file in
            file.lines.enumerated().filter { line in words.contains { line.element.contains($0) } }
                .map { "\(file.path):\($0.offset + 1)" }
        }
        expectNone(faults, "no path of one machine")
    }
}
