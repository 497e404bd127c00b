import NIOCore
import Testing
import WeirTestKit
import WeirWorld

@testable import WeirConnectors

@Suite("Bundles")
struct BundleTests {
    private func cut(_ text: String, pieces: [Int] = []) throws -> [String] {
        var cutter = BundleCutter()
        try feed(Array(text.utf8), pieces) { try cutter.feed($0) }
        try cutter.finish()
        let lines = String(buffer: cutter.lines).split(separator: "\n").map(String.init)
        #expect(lines.count == cutter.count)
        return lines
    }

    private func feed(_ bytes: [UInt8], _ cuts: [Int], _ body: (UnsafeRawBufferPointer) throws -> Void) throws {
        var start = 0
        for end in cuts + [bytes.count] {
            try bytes[start..<end].withUnsafeBytes { try body($0) }
            start = end
        }
    }

    private func code(_ text: String) -> String? {
        do {
            _ = try cut(text)
            return nil
        } catch { return (error as? BundleMistake)?.code }
    }

    @Test("are cut into their objects, as they are and in order, wherever their bytes are cut")
    func pieces() throws {
        let objects = [
            #"{"type":"identity","name":"a \"b\" \\ {[","n":[1,-2.5e+3,{"objects":[{}]}]}"#, "{}",
            #"{"id":"x","type":"bundl","t":{"type":"bundle"},"objects":[true,false,null]}"#,
        ]
        let text = #" {"id":"objects","objects":["# + objects.joined(separator: " , ") + #"],"type":"bundle"} "#
        #expect(try cut(text) == objects)
        for first in 0...text.utf8.count {
            #expect(try cut(text, pieces: [first]) == objects)
            #expect(try cut(text, pieces: [first, min(first + 3, text.utf8.count)]) == objects)
        }
    }

    @Test("that are printed over several lines give one line an object")
    func pretty() throws {
        let text = "{\n\"type\" : \"bundle\",\r\n\"objects\": [\n{\n \"a\" : 1\r\n}\n]\n}\n"
        #expect(try cut(text) == ["{ \"a\" : 1}"])
    }

    @Test("within bundles are cut too, as deep as eight")
    func nested() throws {
        let inner = Sample.bundle([Sample.object(2), Sample.object(3)])
        #expect(
            try cut(Sample.bundle([Sample.object(1), inner, Sample.object(4)]))
                == [Sample.object(1), Sample.object(2), Sample.object(3), Sample.object(4)])
        var deep = Sample.bundle([Sample.object(0)])
        for _ in 0..<8 { deep = Sample.bundle([deep]) }
        #expect(try cut(deep) == [Sample.object(0)])
        #expect(code(Sample.bundle([deep])) == "nested_too_deep")
    }

    @Test(
        "that are none are refused with the reason",
        arguments: [
            ("", "invalid_json"), ("{", "invalid_json"), (#"{"type":"bundle","objects":[{}"#, "invalid_json"),
            (#"{"type":"bundle","objects":[{}]} x"#, "invalid_json"), ("[]", "not_a_bundle"), ("1", "not_a_bundle"),
            (#"{"objects":[{}]}"#, "not_a_bundle"), (#"{"type":"report","objects":[{}]}"#, "not_a_bundle"),
            (#"{"type":"bundle"}"#, "no_objects"), (#"{"type":"bundle","objects":[]}"#, "no_objects"),
            (#"{"type":"bundle","objects":{}}"#, "not_a_bundle"), (#"{"type":"bundle","objects":1}"#, "not_a_bundle"),
            (#"{"type":"bundle","objects":[1]}"#, "not_a_bundle"),
            (#"{"type":"bundle","objects":[[{}]]}"#, "not_a_bundle"),
            (#"{"type":"bundle","objects":[{"a":}]}"#, "invalid_json"),
            (#"{"type":"bundle","objects":[{},]}"#, "invalid_json"),
            (#"{"type":"bundle","objects":[{"a":1,}]}"#, "invalid_json"),
            (#"{"type":"bundle","objects":[{},{"type":"bundle","objects":[]}]}"#, "no_objects"),
        ])
    func mistakes(text: String, expected: String) { #expect(code(text) == expected) }

    @Test("with an object beyond the limit are refused before it is in memory")
    func large() throws {
        let text = Array(Sample.bundle([Sample.object(1, padding: 2_000)]).utf8)
        #expect(
            mistake {
                var cutter = BundleCutter(objectBytesMost: 1_000)
                try feed(text, Array(stride(from: 100, to: text.count, by: 100))) { try cutter.feed($0) }
            } == .tooLarge(1_000))
    }

    private func mistake(_ body: () throws -> Void) -> BundleMistake? {
        do {
            try body()
            return nil
        } catch { return error as? BundleMistake }
    }

    @Test("A queue message gives its bundle and its work, wherever its bytes are cut")
    func message() throws {
        let text = Sample.message(Sample.bundle([Sample.object(1), Sample.object(2)]), work: "work_c_\\u00e4")
        for cut in 0...text.utf8.count {
            var message = MessageCutter()
            try feed(Array(text.utf8), [cut]) { try message.feed($0) }
            try message.finish()
            #expect(String(buffer: message.lines) == Sample.object(1) + "\n" + Sample.object(2) + "\n")
            #expect(message.work == "work_c_ä")
        }
    }

    @Test(
        "A queue message that is none is refused with the reason",
        arguments: [
            ("{}", "no_content"), (#"{"content":1}"#, "no_content"), (#"{"content":"*"}"#, "invalid_base64"),
            (#"{"content":"AAA"}"#, "invalid_base64"), (#"{"content":"e30="}"#, "not_a_bundle"),
            (#"{"content":"AAAA"}"#, "invalid_json"), (#"{"content":""}"#, "invalid_json"), ("x", "invalid_json"),
        ])
    func messageMistakes(text: String, expected: String) {
        let found = mistake {
            var message = MessageCutter()
            try feed(Array(text.utf8), []) { try message.feed($0) }
            try message.finish()
        }
        #expect(found?.code == expected)
    }
}
