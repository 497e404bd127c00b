import Foundation
import Testing
import WeirNode
import WeirSettings

/// The schema and the reader come from the same fields; here a third party (Python's jsonschema) says whether they
/// agree.
@Suite("Schema and reader")
struct ReadersSchemaTests {
    /// YAML's core types, as an editor's language server sees them.
    private static func plain(_ node: SettingNode) -> PlainValue {
        switch node.content {
        case .null: return .null
        case .list(let items): return .list(items.map(plain))
        case .map(let entries): return .map(entries.map { PlainEntry(key: $0.key, value: plain($0.value)) })
        case .scalar(let scalar):
            if scalar.isQuoted { return .text(scalar.text) }
            if ["true", "True", "TRUE"].contains(scalar.text) { return .truth(true) }
            if ["false", "False", "FALSE"].contains(scalar.text) { return .truth(false) }
            if let whole = Int(scalar.text) { return .whole(whole) }
            if scalar.text.first?.isNumber == true, let number = Double(scalar.text) { return .number(number) }
            return .text(scalar.text)
        }
    }

    private static func http(_ more: String) -> String { "destinations: { a: { type: http, \(more) } }" }

    static let good = [
        "", "data: x", "data: 5", "data: 1.10", "data: no", "data: true", "destinations:",
        "destinations: { a: { type: drop } }",
        "destinations: { a: { type: files, path: x } }", "destinations: { a: { type: filesystem, directory: x } }",
        "routes:", "routes: []",
        "routes: [ { name: a, to: b } ]", "routes: [ { name: a, to: [b, c], final: false } ]", "api:",
        "api: { token: { file: /x } }",
        "api: { token: { env: X } }", "api: { token: x }", "api: { token: null }", http("concurrency: 64"),
        http("concurrency: 1"), http("timeout: 30s"),
        http("timeout: PT1M30S"), http("timeout: 1h30m"), http("timeout: P1DT2H"), http("timeout: 5ms"),
        http("buffer: 8MB"), http("buffer: 8MiB"),
        http("buffer: 80000"), http("buffer: 1.5mb"), http("share: 5%"), http("share: 0.5%"), http("drain: 10MB/s"),
        http("drain: null"),
        http("headers: { a: b, c: 5 }"), http("headers:"), http("most: 5"), http("most: null"), http("ratio: 0.5"),
        http("ratio: 1"), http("compress: false"),
        http("gzip: true"), http("on_backpressure: queue, queue: { max_size: 5GB, compress: lz4 }"),
        http("on_backpressure: queue, queue:"),
        http("urls: [ { url: \"http://a\", weight: 2 } ]"), http("urls:"), http("url: http://a"), http("country: no"),
        http("country:"),
    ]

    static let bad = [
        "dat: x", "data: [x]", "data: {}", "data:", "destinations: []", "destinations: { a: {} }",
        "destinations: { a: }", "destinations: { a: x }",
        "destinations: { a: { type: htpp } }", "destinations: { a: { type: [http] } }",
        "destinations: { a: { type: filesystem } }",
        "destinations: { a: { type: filesystem, path: \"\" } }", "destinations: { a: { type: drop, path: x } }",
        "routes: {}", "routes: x",
        "routes: [ { to: b } ]", "routes: [ { name: a } ]", "routes: [ { name: a, to: [] } ]",
        "routes: [ { name: a, to: } ]",
        "routes: [ { name: a, to: {} } ]", "routes: [ { name: a, to: b, final: yes } ]",
        "routes: [ { name: a, to: b, when: } ]",
        "api: { token: { file: x, env: y } }", "api: { token: {} }", "api: { token: { vault: y } }",
        "api: { token: [] }", "api: { token: { file: [] } }",
        "api: { token: { file: \"\" } }", http("concurrency: 0"), http("concurrency: 65"), http("concurrency: \"5\""),
        http("concurrency: five"),
        http("concurrency: 5.5"), http("concurrency:"), http("timeout: 30"), http("timeout: PT"),
        http("timeout: 5 parsecs"), http("timeout: -5s"), http("timeout: P1M"),
        http("timeout: 5m1h"), http("timeout: P"), http("timeout: \"\""), http("timeout: true"), http("buffer: 8M"),
        http("buffer: -1"), http("buffer: []"),
        http("buffer: true"), http("share: 5"), http("share: half"), http("drain: 10MB"), http("drain: 10MB/h"),
        http("headers: [a]"), http("headers: { a: [b] }"),
        http("headers: { a: }"), http("most: 0"), http("ratio: 1.5"), http("ratio: x"), http("compress: yes"),
        http("compress: \"true\""), http("compress: 1"),
        http("on_backpressure: quue"), http("on_backpressure:"), http("queue: { max_size: 5 apples }"),
        http("queue: { compress: gzip }"), http("queue: { size: 1 }"),
        http("queue: x"), http("urls: [ { weight: 2 } ]"), http("urls: [ { url: \"http://a\", weight: 200 } ]"),
        http("urls: [ x ]"), http("urls: { url: x }"),
        http("path: x"), http("country: [no]"),
    ]

    @Test("The reader takes the good configurations and refuses the bad ones")
    func reader() {
        for text in ReadersSchemaTests.good {
            let (configuration, problems, _) = readSample(text)
            #expect(configuration != nil, "\(text): \(problems)")
        }
        for text in ReadersSchemaTests.bad {
            #expect(readSample(text).configuration == nil, "\(text)")
        }
    }

    @Test("Python's jsonschema takes and refuses the same ones by our schema")
    func agreement() throws {
        guard let python = ReadersSchemaTests.python else {
            Issue.record(
                Comment(
                    "SKIPPED: python3 with jsonschema is not installed; the schema was not checked by a third party"),
                severity: .warning)
            return
        }
        let schema = Schema.document(
            of: SampleConfiguration.self, title: "Sample", id: "https://example.org/sample.json")
        let texts = ReadersSchemaTests.good + ReadersSchemaTests.bad
        let instances = texts.map { text in
            YAMLReader().read(text: text, file: "x").node.map(ReadersSchemaTests.plain) ?? .null
        }
        let input = PlainValue.map([
            PlainEntry(key: "schema", value: schema), PlainEntry(key: "instances", value: .list(instances)),
        ])
        let script = """
            import json, sys, jsonschema
            given = json.load(sys.stdin)
            jsonschema.Draft202012Validator.check_schema(given["schema"])
            validator = jsonschema.Draft202012Validator(given["schema"])
            print(json.dumps([validator.is_valid(one) for one in given["instances"]]))
            """
        let output = try ReadersSchemaTests.run(python, ["-c", script], input: input.json)
        let answers = try JSONDecoder().decode([Bool].self, from: output)
        #expect(answers.count == texts.count)
        for (index, text) in texts.enumerated() where answers.indices.contains(index) {
            #expect(answers[index] == (index < ReadersSchemaTests.good.count), "\(text)")
        }
    }

    /// The first of the interpreters on the path, and Debian's, that knows jsonschema (`python3-jsonschema`).
    private static let python: String? = {
        let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").map(String.init)
        return (folders + ["/usr/bin"]).map { "\($0)/python3" }.first { path in
            FileManager.default.isExecutableFile(atPath: path)
                && (try? run(path, ["-c", "import jsonschema; jsonschema.Draft202012Validator; print(1)"], input: "")
                    .isEmpty) == false
        }
    }()

    private static func run(_ program: String, _ arguments: [String], input: String) throws -> Data {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("weir-schema-\(UUID().uuidString)")
        try Data(input.utf8).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = arguments
        process.standardInput = try FileHandle(forReadingFrom: file)
        let output = Pipe()
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        try process.run()
        let data = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return data
    }
}
