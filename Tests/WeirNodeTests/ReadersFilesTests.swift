import Foundation
import Testing
import WeirNode
import WeirSettings
import WeirWorld

/// Files on disk: folders of configuration, secrets.
@Suite("Configuration files")
struct ReadersFilesTests {
    private let files = LiveFileSystem()

    private func inFolder(_ contents: [String: String], _ body: (String) throws -> Void) throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("weir-readers-\(UUID().uuidString)")
            .path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        for (name, text) in contents {
            try Data(text.utf8).write(to: URL(fileURLWithPath: "\(folder)/\(name)"))
        }
        try body(folder)
    }

    @Test("The files of a folder are laid together: sections join, lists follow one another")
    func folder() throws {
        let contents = [
            "10-base.yaml": "data: ./d\ndestinations:\n  a: { type: drop }\nroutes:\n  - { name: one, to: a }\n",
            "20-more.yml": "destinations:\n  b: { type: drop }\nroutes:\n  - { name: two, to: b }\n",
            "notes.txt": "not: [yaml",
            ".hidden.yaml": "broken: [", "30-empty.yaml": "# nothing\n",
        ]
        try inFolder(contents) { folder in
            let result = YAMLReader().read(path: folder, files: files)
            #expect(result.problems.isEmpty)
            var reading = SettingReading()
            let node = try #require(result.node)
            let read = try #require(SampleConfiguration.read(node, &reading))
            #expect(read.destinations.names == ["a", "b"])
            #expect(read.routes.map(\.name) == ["one", "two"])
            #expect(reading.provenance.origin(of: "destinations.b").description == "\(folder)/20-more.yml:2")
        }
    }

    @Test("A name that two files define is an error that shows both places")
    func definedTwice() throws {
        let contents = [
            "a.yaml": "data: x\ndestinations:\n  siem: { type: drop }\n",
            "b.yaml": "data: y\ndestinations:\n  siem: { type: drop }\n",
        ]
        try inFolder(contents) { folder in
            let problems = YAMLReader().read(path: folder, files: files).problems
            #expect(
                problems.map(\.description) == [
                    """
                    \(folder)/b.yaml:1:1: error: `data` is defined twice (it is also defined in \
                    \(folder)/a.yaml:1:1; keep one of them, or give one another name)
                    """,
                    """
                    \(folder)/b.yaml:3:3: error: `destinations.siem` is defined twice (it is also defined in \
                    \(folder)/a.yaml:3:3; keep one of them, or give one another name)
                    """,
                ])
        }
    }

    @Test("A missing file, an empty folder and a broken file among good ones are said plainly")
    func broken() throws {
        try inFolder(["a.yaml": "a: [", "b.yaml": "bogus: 1\n"]) { folder in
            let result = YAMLReader().read(path: folder, files: files)
            #expect(result.node == nil)
            #expect(result.problems.count == 1)
            let missing = YAMLReader().read(path: "\(folder)/none.yaml", files: files)
            #expect(missing.node == nil)
            #expect(missing.problems.first?.message.hasPrefix("there is no file") == true)
        }
        try inFolder([:]) { folder in
            #expect(
                YAMLReader().read(path: folder, files: files).problems.first?.message.hasPrefix(
                    "there is no `*.yaml` file") == true)
        }
    }

    @Test("A secret comes from a file without its line end, and a file that everybody reads is refused")
    func secretFiles() throws {
        try inFolder(["good": "hunter2\n", "open": "x", "empty": "\n"]) { folder in
            try FileManager.default.setAttributes([.posixPermissions: 0o640], ofItemAtPath: "\(folder)/good")
            try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: "\(folder)/open")
            try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: "\(folder)/empty")
            let reader = SecretReader(files: files, environment: ["SIEM_TOKEN": "from-env", "NOTHING": ""])
            func read(_ reference: String) -> (Secret?, String) {
                let (configuration, problems, _) = readSample("api:\n  token: \(reference)\n", secrets: reader)
                return (
                    configuration?.api.token,
                    problems.map(\.message).joined(separator: "; ").replacing(folder, with: "D")
                )
            }
            #expect(read("{ file: \(folder)/good }").0?.text == "hunter2")
            #expect(read("{ env: SIEM_TOKEN }").0?.text == "from-env")
            #expect(read("{ file: \(folder)/open }").1 == "`token`: everybody may read `D/open` (mode 0644)")
            #expect(read("{ file: \(folder)/empty }").1 == "`token`: `D/empty` is empty")
            #expect(read("{ file: \(folder) }").1 == "`token`: `D` is not a file")
            #expect(read("{ file: \(folder)/none }").1 == "`token`: there is no file `D/none`")
            #expect(read("{ env: SIEM_TOKE }").1 == "`token`: there is no environment variable `SIEM_TOKE`")
            #expect(read("{ env: NOTHING }").1 == "`token`: `NOTHING` is empty")
            #expect(read("{ vault: x }").1 == "`token` must refer to one file or one environment variable")
            #expect(read("hunter2").0?.text == "hunter2")
        }
    }

    @Test("A secret is never printed, not even from inside other values")
    func secretNeverPrints() {
        var settings = SampleHTTP()
        settings.token = Secret("hunter2")
        var dumped = ""
        dump(settings, to: &dumped)
        for text in ["\(settings)", "\(settings.token)", String(reflecting: settings), dumped, settings.plain.json] {
            #expect(!text.contains("hunter2"))
        }
    }
}
