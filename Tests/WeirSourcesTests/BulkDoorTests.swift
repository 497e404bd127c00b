import NIOCore
import Testing
import WeirFlow
import WeirGates
import WeirSettings
import WeirTestKit
import WeirWorld

@testable import WeirSources

@Suite("elasticsearch bulk door")
struct BulkDoorTests {
    let world = World.tests

    @Test("Each action has its answer, in order; documents go on by index")
    func items() async throws {
        let intake = RecordingIntake(time: world.time)
        try await running(httpSource(intake)) { source in
            let port = try source.port("http")
            let body = """
                {"index":{"_index":"a","_id":"1"}}
                {"n":1}
                {"create":{"_index":"b"}}
                {"n":2}
                {"delete":{"_index":"a","_id":"9"}}
                {"update":{"_id":"3"}}
                {"doc":{"n":3}}
                {"index":{"_id":"5"}}
                not json
                {"index":{}}
                {"n":4}

                """
            let reply = try await request(
                port, "POST", "/c/_bulk",
                headers: [
                    "Content-Type: application/vnd.elasticsearch+x-ndjson; compatible-with=9",
                    "Accept: application/vnd.elasticsearch+json; compatible-with=9",
                ], text: body)
            #expect(reply.status == 200)
            #expect(reply.head.contains("X-Elastic-Product: Elasticsearch"))
            #expect(reply.head.contains("application/vnd.elasticsearch+json;compatible-with=9"))
            #expect(reply.body.contains("\"errors\":true"))
            let statuses = reply.body.split(separator: "\"status\":").dropFirst().map { String($0.prefix(3)) }
            #expect(statuses == ["201", "201", "400", "400", "400", "201"])
            #expect(
                reply.body.contains("{\"index\":{\"_index\":\"a\",\"_id\":\"1\",\"_version\":1,\"result\":\"created\""))
            #expect(reply.body.contains("{\"delete\":{\"_index\":\"a\",\"_id\":\"9\",\"status\":400"))
            #expect(reply.body.contains("{\"update\":{\"_index\":\"c\",\"_id\":\"3\",\"status\":400"))
            #expect(reply.body.contains("document_parsing_exception"))
        }
        #expect(intake.batches.map(\.texts) == [["{\"n\":1}"], ["{\"n\":2}"], ["{\"n\":4}"]])
        #expect(intake.batches.map(\.context.attributes["index"]) == ["a", "b", "c"])
        #expect(intake.batches.allSatisfy { $0.kind == .json })
    }

    @Test("Clients are told whom they talk to, and refusals have Elasticsearch's shape")
    func others() async throws {
        let intake = RecordingIntake(time: world.time)
        let tested = httpSource(intake) {
            $0.tokens = [Secret("tok")]
            $0.wait = .milliseconds(20)
        }
        try await running(tested) { source in
            let port = try source.port("http")
            let key = ["Authorization: ApiKey tok"]
            let greeting = try await request(port, "GET", "/", headers: key, text: "")
            #expect(
                greeting.body.contains("\"tagline\":\"You Know, for Search\"")
                    && greeting.head.contains("X-Elastic-Product: Elasticsearch"))
            let head = try await request(port, "HEAD", "/", headers: key, text: "")
            #expect(head.status == 200 && head.body.isEmpty)
            #expect(try await request(port, "POST", "/_bulk", text: "{}").status == 401)
            let malformed = try await request(
                port, "POST", "/_bulk", headers: key, text: "{\"index\":{}}\n{}\nnonsense\n")
            #expect(malformed.status == 400 && malformed.body.contains("Malformed action/metadata line [3]"))
            let missing = try await request(port, "PUT", "/_bulk", headers: key, text: "{\"index\":{}}\n{}\n")
            #expect(missing.status == 200 && missing.body.contains("index is missing"))
            intake.close()
            let busy = try await request(port, "POST", "/x/_bulk", headers: key, text: "{\"index\":{}}\n{}\n")
            #expect(
                busy.status == 429 && busy.body.contains("es_rejected_execution_exception")
                    && busy.head.contains("Retry-After: 7"))
        }
        #expect(intake.eventCount == 0)
    }

    @Test("Any bytes: never a crash, and an item for each action that was understood")
    func anything() {
        var random = SplitMix(seed: 5)
        let parts = [
            "{\"index\":{\"_index\":\"a\"}}\n", "{\"n\":1}\n", "{\"delete\":{}}\n", "\n", "{", "}", "\"", "\\", "[",
            "\u{0}", "{\"create\":1}\n", "x\n",
        ]
        for _ in 0..<5_000 {
            let text = (0..<Int.random(in: 0...12, using: &random)).map { _ in
                parts[Int.random(in: 0..<parts.count, using: &random)]
            }.joined()
            // As a whole, and cut in two anywhere: the same documents, or the same mistake.
            let whole = documents([text])
            let cut = Int.random(in: 0...text.utf8.count, using: &random)
            let bytes = Array(text.utf8)
            let parts = documents([
                String(decoding: bytes[..<cut], as: UTF8.self), String(decoding: bytes[cut...], as: UTF8.self),
            ])
            #expect(whole == parts, "\(text.debugDescription) cut at \(cut)")
        }
    }

    private func documents(_ pieces: [String]) -> [String] {
        var body = BulkBody(index: "i", eventMost: 20)
        var found: [String] = []
        var rest: [UInt8] = []
        for (place, piece) in pieces.enumerated() {
            rest += Array(piece.utf8)
            let mistake = rest.withUnsafeBytes { bytes -> String? in
                do throws(BulkBody.Mistake) {
                    try body.read(bytes, isLast: place == pieces.count - 1) { range, index in
                        found.append(index + String(decoding: bytes[range], as: UTF8.self))
                    }
                    return nil
                } catch {
                    return error.reason
                }
            }
            if let mistake { return found + [mistake] }
            rest.removeFirst(body.consumed)
        }
        return found + body.items.map { "\($0.action) \(String(describing: $0.problem))" }
    }
}
