import NIOCore
import Synchronization
import Testing
import WeirWorld

@testable import WeirConnectors

@Suite("What comes through the OpenCTI door")
struct OpenCTIDoorBodyTests {
    private func body(_ bundle: String, query: String = PyctiRequests.push7, work: String? = "w") -> String {
        var buffer = ByteBuffer()
        var variables: [GraphValue.Member] = [
            .init(name: "connectorId", value: .string("a")), .init(name: "bundle", value: .string(bundle)),
        ]
        if let work { variables.append(.init(name: "work_id", value: .string(work))) }
        GraphValue.object(["query": .string(query), "variables": .object(variables)]).write(to: &buffer)
        return String(buffer: buffer)
    }

    private func cut(_ text: String, _ size: Int) -> [ByteBuffer] {
        let bytes = Array(text.utf8)
        return stride(from: 0, to: bytes.count, by: size).map {
            ByteBuffer(bytes: bytes[$0..<min($0 + size, bytes.count)])
        }
    }

    private func bundle(_ length: Int) -> String {
        #"{"type":"bundle","x":""# + String(repeating: "é\n\\\"", count: length / 5) + #""}"#
    }

    @Test("a small bundle is handed on as it was written, with the time until when it may be held")
    func small() async throws {
        let stage = DoorStage()
        try await stage.register("a")
        let text = bundle(100)
        let answer = await stage.send(cut(body(text), 50))
        #expect(answer.status == 200 && answer.body == #"{"data":{"stixBundlePush":true}}"#)
        let pushed = try #require(stage.platform.pushed.first)
        #expect(pushed.text == text && pushed.work == "w" && !pushed.wasStreamed)
        #expect(pushed.deadline == Moment.zero + .seconds(240))
    }

    @Test("an older pycti names no work, and an empty one is none", arguments: [nil, ""])
    func noWork(work: String?) async throws {
        let stage = DoorStage()
        try await stage.register("a")
        let query = work == nil ? PyctiRequests.push6 : PyctiRequests.push7
        _ = await stage.send([ByteBuffer(string: body("{}", query: query, work: work))])
        #expect(stage.platform.pushed.map(\.work) == [nil])
    }

    @Test(
        "a large bundle goes to the platform while it comes in, and its work is named at the end",
        arguments: [997, 65_536])
    func streamed(size: Int) async throws {
        let stage = DoorStage()
        try await stage.register("a")
        let text = bundle(500_000)
        let answer = await stage.send(cut(body(text), size))
        #expect(answer.body == #"{"data":{"stixBundlePush":true}}"#)
        let pushed = try #require(stage.platform.pushed.first)
        #expect(pushed.wasStreamed && pushed.text == text && pushed.work == "w")
        #expect(stage.platform.state.withLock { $0.writes.max() ?? 0 } <= OpenCTIDoor.gatherMost + size)
        #expect(stage.platform.state.withLock { $0.abandoned } == 0)
    }

    @Test("when much is held already, a bundle of 20 KB is taken as it comes, not gathered")
    func crowded() async throws {
        var settings = OpenCTIDoor.Settings()
        settings.gatheredMost = 1_000
        let stage = DoorStage(settings: settings)
        try await stage.register("a")
        let text = bundle(20_000)
        for length in [100, 20_000] {
            _ = await stage.send(cut(body(bundle(length)), 4_096))
        }
        #expect(stage.platform.pushed.map(\.wasStreamed) == [false, true])
        #expect(stage.platform.pushed.last?.text == text)
    }

    @Test("a large bundle that is not pushed after all is forgotten")
    func abandoned() async throws {
        let stage = DoorStage()
        try await stage.register("a")
        let text = bundle(280_000)
        let cases = [
            body(text, query: "mutation { nothing }"),
            body(text, query: #"mutation($bundle: String!) { stixBundlePush(connectorId: "other", bundle: $bundle) }"#),
            body(text, query: "mutation($bundle: String) { pingConnector(id: \"a\", state: $bundle) { id } }"),
            body(text) + "x", String(body(text).dropLast(3)),
        ]
        let nameless = body(text).replacing("connectorId\":", with: "connector\":")
        #expect(await stage.send(cut(nameless, 10_000)).body.contains("whose is the bundle"))
        for (index, request) in cases.enumerated() {
            let answer = await stage.send(cut(request, 10_000))
            #expect(answer.status == 200 && answer.body.contains("errors"), "\(answer)")
            #expect(stage.platform.state.withLock { $0.abandoned } == index + 1)
        }
        #expect(stage.platform.pushed.isEmpty)
    }

    @Test("a bundle over the limit is refused, and the connection is read to its end so that the answer is seen")
    func tooLong() async throws {
        var settings = OpenCTIDoor.Settings()
        settings.bundleMost = 200_000
        let stage = DoorStage(settings: settings)
        try await stage.register("a")
        let answer = await stage.send(cut(body(bundle(280_000)), 10_000))
        #expect(answer.body.contains("longer than 200000 bytes"))
        #expect(stage.platform.state.withLock { $0.abandoned } == 1)
    }

    @Test("a push for an unknown connector is refused, small or large", arguments: [100, 280_000])
    func unknown(length: Int) async {
        let stage = DoorStage()
        let answer = await stage.send(cut(body(bundle(length)), 10_000))
        #expect(answer.status == 200 && answer.body.contains("No connector found"))
    }

    @Test("a held push is answered when it was taken", .timeLimit(.minutes(5)))
    func held() async throws {
        let stage = DoorStage()
        try await stage.register("a")
        stage.platform.hold()
        async let answer = stage.send([ByteBuffer(string: body("{}"))])
        while stage.platform.heldCount == 0 { await Task.yield() }
        #expect(stage.platform.pushed.isEmpty)
        stage.platform.release()
        #expect(await answer.body == #"{"data":{"stixBundlePush":true}}"#)
    }

    @Test("what is not for it is refused in a shape that pycti prints")
    func refusals() async {
        let stage = DoorStage()
        let body = [ByteBuffer(string: #"{"query":"{ about { version } }"}"#)]
        let wrong = await stage.send(body, token: "other")
        #expect(wrong.status == 401 && wrong.body.contains(#""name":"AUTH_REQUIRED""#))
        #expect(await stage.send(body, token: nil).body.contains("OPENCTI_TOKEN"))
        #expect(await stage.send(body, method: "GET").status == 405)
        #expect(await stage.send(body, type: "multipart/form-data; boundary=x").body.contains("not files"))
        #expect(await stage.send(body, type: "text/plain").status == 415)
        #expect(await stage.send(body).body == #"{"data":{"about":{"version":"7.261026.0"}}}"#)
    }

    @Test(
        "what is no request is refused in words",
        arguments: ["", "{", "[]", "{}", #"{"query":5}"#, #"{"query":"{"}"#, "[{\"query\":\"{a}\"}]"])
    func garbage(text: String) async {
        let stage = DoorStage()
        let answer = await stage.send([ByteBuffer(string: text)])
        #expect(answer.body.hasPrefix(#"{"errors":[{"message":"#) && answer.body.contains(#""extensions":{"code":"#))
    }

    private func ping(_ state: String) -> [ByteBuffer] {
        var buffer = ByteBuffer()
        GraphValue.object([
            "query": .string(PyctiRequests.ping), "variables": .object(["id": .string("a"), "state": .string(state)]),
        ]).write(to: &buffer)
        return cut(String(buffer: buffer), 65_536)
    }

    @Test("a state of some megabytes is kept byte for byte, and told again")
    func longState() async throws {
        let stage = DoorStage()
        try await stage.register("a")
        let state = #"{"seen": ["# + String(repeating: #""é\n/","#, count: 300_000) + "0]}"
        let answer = await stage.send(ping(state))
        #expect(answer.status == 200)
        #expect(await stage.platform.connector("a")?.state == state)
        let told = try JSONReader.read(ByteBuffer(string: answer.body))["data"]?["pingConnector"]?["connector_state"]
        #expect(told?.text == state)
    }

    @Test("in a crowd a long state is to be sent again later; a short one is taken")
    func crowdedState() async throws {
        var settings = OpenCTIDoor.Settings()
        settings.gatheredMost = 1_000
        let stage = DoorStage(settings: settings)
        try await stage.register("a")
        #expect(await stage.send(ping(String(repeating: "x", count: 300_000))).body.contains("SERVICE_UNAVAILABLE"))
        #expect(await !stage.send(ping(String(repeating: "x", count: 100_000))).body.contains("errors"))
    }

    @Test("a long request without a bundle is refused, and its memory is bounded")
    func longGarbage() async {
        let stage = DoorStage()
        let answer = await stage.send(Array(repeating: ByteBuffer(repeating: 0x20, count: 65_536), count: 100))
        #expect(answer.status == 413 && answer.body.contains("REQUEST_TOO_LARGE"))
    }

    @Test(
        "times are read as the versions of pycti write them",
        arguments: [
            ("2026-11-20T23:07:41Z", 1_795_216_061.0), ("2026-11-20T23:07:41.5Z", 1_795_216_061.5),
            ("2026-11-21T00:07:41+01:00", 1_795_216_061), ("2026-11-20 23:07:41", 1_795_216_061),
            ("2026-11-21T00:07:41+0100", 1_795_216_061), ("2026-11-20T23:07:41.5", 1_795_216_061.5),
            ("2026-11-20T23:07:41+1", nil), ("9026-11-20T23:07:41Z", nil), ("soon", nil), ("2026-13-20T23:07:41Z", nil),
            ("", nil),
        ])
    func times(text: String, seconds: Double?) {
        #expect(ClientTime.read(text)?.secondsSince1970 == seconds)
    }
}
