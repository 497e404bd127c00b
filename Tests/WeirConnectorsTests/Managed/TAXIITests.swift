import NIOCore
import Testing
import WeirConnectors
import WeirGates
import WeirWorld

@Suite("TAXII 2.1", .timeLimit(.minutes(2)))
struct TAXIITests {
    private let stage = ManagedStage("taxii")

    private func importer(_ url: String, _ collections: [String] = []) -> HTTPImporter {
        stage.importer(url) {
            $0.format = .taxii
            var taxii = TAXIISettings()
            (taxii.collections, taxii.pageSize) = (collections, collections.isEmpty ? nil : 2)
            $0.taxii = taxii
        }
    }

    @Test("Pages are followed, and the newest date is asked for the next time")
    func pages() async throws {
        let server = try await TextServer()
        try await server.answering({ request in
            if request.parameter("added_after") != nil { return TextServer.ok("{}") }
            let isSecond = request.parameter("next") == "p2"
            return TextServer.ok(
                isSecond
                    ? "{\"objects\":[{\"id\":\"b\"}]}" : "{\"more\":true,\"next\":\"p2\",\"objects\":[{\"id\":\"a\"}]}",
                "X-TAXII-Date-Added-Last: 2026-11-2\(isSecond ? 1 : 0)T00:00:00Z")
        }).run {
            try await stage.run(importer(server.url + "/c/objects/"))
            try await stage.run(importer(server.url + "/c/objects/"))
        }
        #expect(stage.platform.events == ["{\"id\":\"a\"}", "{\"id\":\"b\"}"])
        #expect(server.requests[0].has("Accept: application/taxii+json;version=2.1"))
        #expect(server.requests[2].parameter("added_after") == "2026-11-21T00%3A00%3A00Z")
    }

    @Test(
        "A server that does not name the next page is asked for what came after; one that stands still ends it"
    )
    func withoutNext() async throws {
        let server = try await TextServer()
        try await server.answering({ request in
            let isAfter = request.parameter("added_after") == "2026-11-20T00%3A00%3A00Z"
            return TextServer.ok(
                "{\"more\":\(!isAfter || request.target.hasPrefix("/still")),\"objects\":[{\"n\":\(isAfter ? 2 : 1)}]}",
                "X-TAXII-Date-Added-Last: 2026-11-20T00:00:00Z")
        }).run {
            try await stage.run(importer(server.url + "/ends/objects"))
            #expect(stage.platform.events == ["{\"n\":1}", "{\"n\":2}"])
            let failure = await stage.failure(of: importer(server.url + "/still/objects"))
            #expect(failure?.reason.code == "pagination_endless")
        }
    }

    @Test("A server that gives the same `next` for each page, as it counts in a session, is followed to its end")
    func session() async throws {
        let server = try await TextServer()
        try await server.answering({ _ in
            let page = server.requests.count
            return TextServer.ok("{\"more\":\(page < 4),\"next\":\"session\",\"objects\":[{\"n\":\(page)}]}")
        }).run {
            try await stage.run(importer(server.url + "/c/objects/"))
        }
        #expect(stage.platform.events == (1...4).map { "{\"n\":\($0)}" })
    }

    /// A server with two API roots; the first has a collection that may not be read.
    private static func whole(_ request: TextServer.Request) -> ByteBuffer {
        switch request.target.split(separator: "?")[0] {
        case "/taxii2/": return TextServer.ok(#"{"title":"t","api_roots":["/one/","two"]}"#)
        case "/one/": return TextServer.ok(#"{"title":"o","versions":["application/taxii+json;version=2.1"]}"#)
        case "/one/collections/":
            return TextServer.ok(
                #"{"collections":[{"id":"91a7","title":"High","alias":"high","can_read":true},"#
                    + #"{"id":"5293","title":"Closed","can_read":false}]}"#)
        case "/taxii2/two/collections/":
            return TextServer.ok(#"{"collections":[{"id":"a b","title":"Low","can_read":true}]}"#)
        case "/one/collections/91a7/": return TextServer.ok(#"{"id":"91a7","title":"High","can_read":true}"#)
        case "/one/collections/91a7/objects/": return TextServer.ok(#"{"objects":[{"id":"high"}]}"#)
        case "/taxii2/two/collections/a%20b/objects/": return TextServer.ok(#"{"objects":[{"id":"low"}]}"#)
        case "/empty/": return TextServer.ok(#"{"collections":[]}"#)
        case "/text/": return TextServer.ok("hello")
        default: return TextServer.ok(#"{"x":1}"#)
        }
    }

    @Test(
        "Objects are found from the discovery address, an API root, a list of collections, or a collection",
        arguments: [
            ("/taxii2/", [], ["high", "low"]), ("/taxii2/", ["Low"], ["low"]), ("/taxii2/", ["high"], ["high"]),
            ("/one/", [], ["high"]), ("/one", [], ["high"]), ("/one/collections/", ["91a7"], ["high"]),
            ("/one/collections/91a7/", [], ["high"]), ("/one/collections/91a7/objects/", [], ["high"]),
        ] as [(String, [String], [String])])
    func discovery(path: String, collections: [String], found: [String]) async throws {
        let server = try await TextServer()
        // A path without its slash is moved, as real servers do it.
        try await server.answering({ request in
            request.target == "/one" ? TextServer.status(308, "Location: /one/") : Self.whole(request)
        }).run {
            try await stage.run(importer(server.url + path, collections))
        }
        #expect(stage.platform.events == found.map { "{\"id\":\"\($0)\"}" })
        if !collections.isEmpty { #expect(server.requests.last?.parameter("limit") == "2") }
    }

    @Test(
        "What is no TAXII, and a collection that is not there or closed, is said as what it is",
        arguments: [
            ("/taxii2/", ["Mid"], "no_collections", "It has: `High`, `Closed`, `Low`"),
            ("/one/", ["Closed"], "no_collections", "does not let us read"),
            ("/empty/", [], "no_collections", "no collection that we may read"),
            ("/other/", [], "not_taxii", "neither as discovery"), ("/text/", [], "not_taxii", "no JSON object"),
        ] as [(String, [String], String, String)])
    func mistakes(path: String, collections: [String], code: String, text: String) async throws {
        let server = try await TextServer()
        try await server.answering({ Self.whole($0) }).run {
            let failure = await stage.failure(of: importer(server.url + path, collections))
            #expect(failure?.reason.code == code)
            #expect(failure?.reason.sentence.contains(text) == true, "\(failure?.reason.sentence ?? "")")
        }
    }
}
