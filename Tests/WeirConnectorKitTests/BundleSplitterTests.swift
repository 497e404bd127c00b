import Foundation
import Testing

@testable import WeirConnectorKit

@Suite("Splitting a bundle")
struct BundleSplitterTests {
    /// The object's name is its identifier, such as `malware--1`.
    private static func object(_ id: String, _ more: JSONObject = [:]) -> JSONObject {
        var object: JSONObject = ["type": .string(String(id.prefix { $0 != "-" })), "id": .string(id)]
        if id.hasPrefix("marking") { object["type"] = "marking-definition" }
        for member in more.members { object[member.name] = member.value }
        return object
    }

    private static func split(_ objects: [JSONObject]) -> (
        order: [String], leftOut: [String], parts: [String: JSONObject]
    ) {
        let result = BundleSplitter.split(STIXBundle(objects))
        let order = result.parts.map { "\($0.sequence) \($0.object["id"]?.text ?? "")" }
        let parts = result.parts.map { ($0.object["id"]?.text ?? "", $0.object) }
        return (order, result.leftOut, Dictionary(parts) { _, last in last })
    }

    // What pycti 7 answers to each.

    @Test("puts first what others refer to, and leaves out what it does not know")
    func order() {
        let (order, leftOut, parts) = Self.split([
            Self.object(
                "malware--1",
                [
                    "created_by_ref": "identity--1",
                    "object_marking_refs": ["marking-definition--1", "marking-definition--1"],
                ]),
            Self.object("identity--1"), Self.object("marking-definition--1"),
            Self.object("relationship--1", ["source_ref": "malware--1", "target_ref": "x-foo--1"]),
            Self.object("x-foo--1"),
            Self.object("relationship--2", ["source_ref": "malware--1", "target_ref": "identity--1"]),
        ])
        #expect(order == ["1 identity--1", "1 marking-definition--1", "4 malware--1", "6 relationship--2"])
        #expect(leftOut == ["relationship--1", "x-foo--1"])
        #expect(parts["malware--1"]?["object_marking_refs"] == ["marking-definition--1"])
        #expect(parts["malware--1"]?["nb_deps"] == 4)
    }

    @Test("opens circles of two and of three, and takes out what leads to itself")
    func circles() {
        let three = Self.split([
            Self.object("malware--1", ["a_ref": "malware--2"]), Self.object("malware--2", ["a_ref": "malware--3"]),
            Self.object("malware--3", ["a_ref": "malware--1"]),
        ])
        #expect(three.order == ["2 malware--3", "3 malware--2", "4 malware--1"])
        #expect(three.parts["malware--1"]?["a_ref"] == JSONValue.null)
        let two = Self.split([
            Self.object("malware--1", ["a_ref": "malware--2"]), Self.object("malware--2", ["a_ref": "malware--1"]),
            Self.object("malware--3", ["a_ref": "malware--3", "b_ref": "tool--9"]),
        ])
        #expect(two.order == ["1 malware--2", "1 malware--3", "2 malware--1"])
        #expect(two.parts["malware--2"]?["a_ref"] == JSONValue.null)
        #expect(two.parts["malware--3"]?["b_ref"] == "tool--9", "what leads out of the bundle stays")
    }

    @Test("counts shared dependencies for each way to them")
    func shared() {
        let (order, _, parts) = Self.split([
            Self.object("report--1", ["object_refs": ["malware--1", "malware--2", "malware--1"]]),
            Self.object("malware--1", ["created_by_ref": "identity--1"]),
            Self.object("malware--2", ["created_by_ref": "identity--1"]), Self.object("identity--1"),
        ])
        #expect(order == ["1 identity--1", "2 malware--1", "2 malware--2", "7 report--1"])
        #expect(parts["report--1"]?["object_refs"] == ["malware--1", "malware--2"])
    }

    @Test("keeps one of several references that mean the same")
    func externalReferences() {
        let (_, _, parts) = Self.split([
            Self.object(
                "malware--1",
                [
                    "external_references": [
                        ["source_name": "a", "url": "http://a"], ["source_name": "b", "url": "http://a"],
                        ["source_name": "c", "external_id": "1"], ["source_name": "d"],
                    ]
                ])
        ])
        #expect(
            parts["malware--1"]?["external_references"] == [
                ["source_name": "a", "url": "http://a"], ["source_name": "c", "external_id": "1"],
            ])
    }

    @Test("follows a chain of any length")
    func chain() {
        let count = 20_000
        let (order, leftOut, _) = Self.split(
            (0..<count).map { Self.object("malware--\($0)", ["a_ref": .string("malware--\($0 + 1)")]) })
        #expect(order.count == count && leftOut.isEmpty)
        #expect(order.first == "1 malware--\(count - 1)" && order.last == "\(count) malware--0")
    }

    @Test("of a real catalogue gives what pycti gives", .enabled(if: Real.bundle != nil && Real.python != nil))
    func pycti() throws {
        let file = try #require(Real.bundle)
        let bundle = try STIXBundle(json: [UInt8](try Data(contentsOf: file)))
        let split = BundleSplitter.split(bundle)
        let ours = split.parts.map { "\($0.sequence) \($0.object["id"]?.text ?? "")" }
        let script = """
            import sys
            from pycti.utils.opencti_stix2_splitter import OpenCTIStix2Splitter
            import json
            bundle = json.load(open(sys.argv[1]))
            _, left, parts = OpenCTIStix2Splitter().split_bundle_with_expectations(bundle, use_json=False)
            for part in parts: print(part["x_opencti_seq"], part["objects"][0]["id"])
            """
        let process = Process()
        process.executableURL = URL(fileURLWithPath: try #require(Real.python))
        process.arguments = ["-c", script, file.path]
        let pipe = Pipe()
        process.standardOutput = pipe
        try process.run()
        let output = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        let theirs = String(decoding: output, as: UTF8.self).split(separator: "\n").map(String.init)
        #expect(theirs.count > 500, "pycti said nothing")
        #expect(ours == theirs)
        #expect(split.parts.count + split.leftOut.count == bundle.objects.count)
    }

    private enum Real {
        private static let environment = ProcessInfo.processInfo.environment

        static let bundle: URL? = {
            let root = (0..<3).reduce(URL(fileURLWithPath: #filePath)) { path, _ in path.deletingLastPathComponent() }
            let shared = environment["WEIR_SHARED"] ?? root.path + "/../shared"  // beside the project
            let file = URL(fileURLWithPath: "\(shared)/data/ics-attack.json")
            return FileManager.default.fileExists(atPath: file.path) ? file : nil
        }()
        /// The newest of those with pycti.
        static let python = environment["WEIR_PYCTI_PYTHONS"]?.split(separator: ":").last.map(String.init)
    }
}
