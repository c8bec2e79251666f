// What is shipped for Prometheus and Grafana: the rules are right by Prometheus' own tools, and rules and
// dashboard ask for nothing that a daemon doesn't have.
import Foundation
import Testing

@Suite struct PrometheusTests {
    private static let tests = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    private static let root = tests.deletingLastPathComponent().deletingLastPathComponent()
    private static let rules = root.appendingPathComponent("systemd/prometheus/alerts.yml").path
    private static let dashboard = root.appendingPathComponent("systemd/grafana/larder.json").path

    private static func promtool(_ arguments: [String]) throws -> String {
        let promtool = Surroundings.find("promtool")
        try Surroundings.require(promtool != nil, "promtool (Debian's prometheus)")
        let (ending, output, errors) = try ChildProcess.run(promtool!, arguments)
        #expect(ending == .exited(0), "\(output)\(errors)")
        return output
    }

    @Test func alertsAreSound() throws {
        #expect(try Self.promtool(["check", "rules", Self.rules]).contains("SUCCESS"))
    }

    @Test func alertsFireAndClear() throws {
        let folder = try TemporaryFolder()
        let scenes = Self.tests.appendingPathComponent("Prometheus/alerts_test.yml").path
        try FileManager.default.copyItem(atPath: Self.rules, toPath: folder.path("alerts.yml"))
        try FileManager.default.copyItem(atPath: scenes, toPath: folder.path("alerts_test.yml"))
        #expect(try Self.promtool(["test", "rules", folder.path("alerts_test.yml")]).contains("SUCCESS"))
        // Each one is put to the test.
        let text = try String(contentsOfFile: Self.rules, encoding: .utf8)
        let tested = try String(contentsOfFile: scenes, encoding: .utf8)
        for alert in text.matches(of: #/- alert: (\w+)/#).map(\.1) {
            #expect(tested.contains("alertname: \(alert)\n"), "\(alert)")
        }
    }

    /// A name that changes on one side only would leave an alert silent for ever.
    @Test func everyMetricAskedForIsThere() throws {
        try withDaemon("--http=-1", "-m", "4") { daemon in
            let wire = try daemon.connect()
            let value = String(repeating: "x", count: 1000)
            for i in 0..<6000 { try wire.send("mn\r\nset key\(i) 0 0 1000 noreply\r\n\(value)\r\n") }
            try wire.send("version\r\n")
            _ = try wire.lines(through: "VERSION 1.6.45")
            let present = Set(try daemon.http("/metrics").body.split(separator: "\n")
                .filter { !$0.hasPrefix("#") }.map { $0.prefix { $0 != "{" && $0 != " " } })
            #expect(present.count > 90)
            for file in [Self.rules, Self.dashboard] {
                let text = try String(contentsOfFile: file, encoding: .utf8)
                let asked = text.matches(of: #/\b(memcached|larder|process)_[a-z0-9_]+/#).map(\.0)
                #expect(asked.count > 5)
                for name in Set(asked) { #expect(present.contains(name), "\(name) in \(file)") }
            }
        }
    }

    @Test func theDashboardIsWhole() throws {
        struct Dashboard: Decodable {
            struct Panel: Decodable {
                struct Target: Decodable { let expr: String }
                let id: Int
                let title: String
                let targets: [Target]?
            }
            let uid: String
            let panels: [Panel]
        }
        let data = try #require(FileManager.default.contents(atPath: Self.dashboard))
        let dashboard = try JSONDecoder().decode(Dashboard.self, from: data)
        #expect(dashboard.panels.count > 15)
        #expect(Set(dashboard.panels.map(\.id)).count == dashboard.panels.count)
        // Prometheus itself parses each query, as a rule with Grafana's own words replaced.
        var rules = "groups:\n  - name: panels\n    rules:\n"
        for (number, target) in dashboard.panels.flatMap({ $0.targets ?? [] }).enumerated() {
            let query = target.expr.replacingOccurrences(of: "$__rate_interval", with: "5m")
            let quoted = query.replacingOccurrences(of: "'", with: "''")
            rules += "      - record: panel\(number)\n        expr: '\(quoted)'\n"
        }
        let folder = try TemporaryFolder()
        try rules.write(toFile: folder.path("panels.yml"), atomically: true, encoding: .utf8)
        #expect(try Self.promtool(["check", "rules", folder.path("panels.yml")]).contains("SUCCESS"))
    }
}
