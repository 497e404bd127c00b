import NIOCore
import Synchronization
import Testing
import WeirTestKit
import WeirWorld

@testable import WeirConnectors

@Suite("The OpenCTI door")
struct OpenCTIDoorTests {
    private struct Broker: BundleBroker {
        func connection(for id: ConnectorID) async throws(ConnectorFailure) -> BrokerConnection {
            BrokerConnection(host: "127.0.0.1", port: 5672, user: id, password: "p-\(id)")
        }
        func revoke(_ id: ConnectorID) async throws(ConnectorFailure) {}
    }

    @Test("answers the health check")
    func health() async {
        let stage = DoorStage()
        #expect(await stage.ask(PyctiRequests.health) == #"{"data":{"about":{"version":"7.261026.0"}}}"#)
    }

    @Test("registers with everything that pycti reads, and with nobody else's credentials")
    func register() async {
        let stage = DoorStage(broker: Broker())
        let answer = await stage.ask(PyctiRequests.register7, PyctiRequests.input7("aa_01"))
        #expect(
            answer == #"{"data":{"registerConnector":{"id":"aa_01","connector_state":null,"#
                + #""jwks":"{\"keys\": []}","config":{"connection":{"host":"127.0.0.1","vhost":"/","use_ssl":false,"#
                + #""port":5672,"user":"aa_01","pass":"p-aa_01"},"s3":{"endpoint":null,"port":null,"use_ssl":null,"#
                + #""bucket_name":null,"bucket_region":null,"access_key":null,"secret_key":null},"#
                + #""listen":"listen_aa_01","listen_routing":"listen_routing_aa_01","#
                + #""listen_exchange":"amqp.connector.exchange","push":"push_aa_01","#
                + #""push_routing":"push_routing_aa_01","push_exchange":"amqp.worker.exchange"},"#
                + #""connector_user_id":"user-1"}}}"#)
        let record = await stage.platform.connector("aa_01")
        #expect(record?.registration.scope == ["identity", "indicator"] && record?.registration.version == "7.1")
    }

    @Test("registers an older pycti, also where there is no broker")
    func register6() async {
        let stage = DoorStage()
        let answer = await stage.ask(PyctiRequests.register6, PyctiRequests.input6("b"))
        #expect(
            answer.contains(
                #""connection":{"host":"127.0.0.1","vhost":"/","use_ssl":false,"port":0,"user":"","pass":""}"#))
        #expect(!answer.contains("jwks") && !answer.contains("errors"))
    }

    @Test(
        "refuses a registration that names nothing",
        arguments: [
            #"{"input":{}}"#, #"{"input":{"id":"","name":"a"}}"#, #"{"input":{"id":"a\u0001","name":"a"}}"#,
            #"{"input":{"id":"a"}}"#, #"{"input":{"id":"a","name":"b","scope":[1]}}"#, #"{"input":null}"#, "{}",
        ])
    func badRegistration(variables: String) async {
        let stage = DoorStage()
        let answer = await stage.ask(PyctiRequests.register7, variables)
        #expect(answer.contains("errors"), "\(answer)")
        #expect(await stage.platform.connectors().isEmpty)
    }

    @Test(
        "gives the state back byte for byte",
        arguments: [
            #""{\"last_run\": 1795216041, \"n\": 2}""#, #""null""#, #""{\"a\": \"\\u00e9 é 😀 e\u0301\"}""#, #""""#,
            "null",
            #""{\"b\":1,  \"a\":2}\n""#,
        ])
    func state(state: String) async throws {
        let stage = DoorStage()
        try await stage.register("a")
        let sent = try JSONReader.read(ByteBuffer(string: state))
        let answer = await stage.ask(PyctiRequests.ping, PyctiRequests.pingVariables("a", state: state))
        let got = try JSONReader.read(ByteBuffer(string: answer))["data"]?["pingConnector"]
        #expect(got?["connector_state"].map { Array(($0.text ?? "-").utf8) } == Array((sent.text ?? "-").utf8))
        #expect(
            answer.hasSuffix(
                #""connector_info":{"run_and_terminate":false,"buffering":true,"queue_threshold":8.0,"#
                    + #""queue_messages_size":9.9,"next_run_datetime":"2026-11-20T23:07:41.000Z","#
                    + #""last_run_datetime":null}}}}"#))
    }

    @Test("tells of a reset once, with the next ping")
    func reset() async throws {
        let stage = DoorStage()
        try await stage.register("a")
        let variables = PyctiRequests.pingVariables("a", state: #""{}""#)
        _ = await stage.ask(PyctiRequests.ping, variables)
        _ = await stage.ask(#"mutation { resetStateConnector(id: "a") { id connector_state } }"#)
        #expect(await stage.ask(PyctiRequests.ping, variables).contains(#""connector_state":null"#))
        #expect(await stage.ask(PyctiRequests.ping, variables).contains(#""connector_state":"{}""#))
    }

    @Test("answers a ping that comes again as the first time, and it is a sign of life each time")
    func again() async throws {
        let stage = DoorStage()
        try await stage.register("a")
        let variables = PyctiRequests.pingVariables("a", state: #""{}""#)
        let first = await stage.ask(PyctiRequests.ping, variables)
        stage.time.advance(by: .seconds(40))
        #expect(await stage.ask(PyctiRequests.ping, variables) == first)
        #expect(await stage.platform.connector("a")?.lastPing == stage.time.wall)
        // With the same bytes, but what it asks for is not in them.
        let other = "mutation { pingConnector(id: \"a\", state: \"{}\") { connector_state updated_at } }"
        let before = await stage.ask(other)
        stage.time.advance(by: .seconds(40))
        #expect(await stage.ask(other) != before)
        stage.platform.state.withLock { $0.records = [] }
        #expect(await stage.ask(PyctiRequests.ping, variables).contains("No connector found"))
    }

    @Test("says so when a connector that pings is unknown")
    func unknownPing() async {
        let stage = DoorStage()
        let answer = await stage.ask(PyctiRequests.ping, PyctiRequests.pingVariables("x", state: #""null""#))
        #expect(answer.contains("No connector found") && answer.contains(#""name":"RESOURCE_NOT_FOUND""#))
        #expect(await stage.ask(PyctiRequests.getConnector, #"{"id":"x"}"#) == #"{"data":{"connector":null}}"#)
    }

    @Test("answers the queue's size, and a size above every threshold when it is not known")
    func level() async throws {
        let stage = DoorStage()
        try await stage.register("a")
        stage.platform.state.withLock { $0.level = WorkQueueLevel(messages: 3, bytes: 7_999_999) }
        let known = await stage.ask(PyctiRequests.getConnector, #"{"id":"a"}"#)
        #expect(known.contains(#""connector_queue_details":{"messages_number":3,"messages_size":7999999}"#))
        stage.platform.state.withLock { $0.level = nil }
        let unknown = await stage.ask(PyctiRequests.getConnector, #"{"id":"a"}"#)
        #expect(unknown.contains(#""messages_size":1000000000000000"#))
    }

    @Test("keeps a work from its beginning to its end")
    func works() async throws {
        let stage = DoorStage()
        try await stage.register("a")
        let added = await stage.ask(
            PyctiRequests.workAdd7, #"{"connectorId":"a","friendlyName":"run","isMultiPartWork":false}"#)
        #expect(added == #"{"data":{"workAdd":{"id":"work_a_0"}}}"#)
        let expected = await stage.ask(PyctiRequests.addExpectations, #"{"id":"work_a_0","expectations":3}"#)
        #expect(expected == #"{"data":{"workEdit":{"addExpectations":"work_a_0"}}}"#)
        let done = await stage.ask(PyctiRequests.toProcessed, #"{"id":"work_a_0","message":"ok","inError":false}"#)
        #expect(done == #"{"data":{"workEdit":{"toProcessed":"work_a_0"}}}"#)
        let work = await stage.ask(PyctiRequests.work, #"{"id":"work_a_0"}"#)
        #expect(work.contains(#""tracking":{"import_expected_number":3,"import_processed_number":0}"#))
        #expect(work.contains(#""messages":[{"timestamp":"2026-11-21T12:00:00.000Z","message":"ok""#))
        let filters =
            #"{"count":50,"filters":{"mode":"and","filters":[{"key":"connector_id","values":["a"]}]}}"#
        let list = await stage.ask(PyctiRequests.works, filters)
        #expect(list == #"{"data":{"works":{"edges":[{"node":{"id":"work_a_0","status":"wait"}}]}}}"#)
        #expect(await stage.ask("{ isWorkAlive(id: \"work_a_0\") }") == #"{"data":{"isWorkAlive":true}}"#)
    }

    @Test("uses the word that pycti understands when a work is gone")
    func workGone() async {
        let stage = DoorStage()
        let answer = await stage.ask(PyctiRequests.addExpectations, #"{"id":"w","expectations":3}"#)
        #expect(
            answer.contains(#""name":"WORK_NOT_ALIVE""#)
                && answer.contains(#""data":{"workEdit":{"addExpectations":null}}"#))
        #expect(await stage.ask("{ isWorkAlive(id: \"w\") }") == #"{"data":{"isWorkAlive":false}}"#)
    }

    @Test("knows the markings of the Traffic Light Protocol")
    func markings() async {
        let stage = DoorStage()
        let all = await stage.ask(PyctiRequests.markings, #"{"filters":null,"first":100}"#)
        #expect(all.contains(#""globalCount":5"#))
        let filter =
            #"{"filters":{"mode":"and","filters":[{"key":"definition","values":["TLP:WHITE"]}],"filterGroups":[]}}"#
        let white = await stage.ask(PyctiRequests.markings, filter)
        #expect(
            white.contains(
                #"[{"node":{"standard_id":"marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9","#
                    + #""definition_type":"TLP","definition":"TLP:CLEAR","x_opencti_order":1}}]"#))
        let odd = await stage.ask(PyctiRequests.markings, #"{"filters":{"filters":[{"key":"color","values":["x"]}]}}"#)
        #expect(odd.contains("Weir filters by definition"))
    }

    @Test("forgets a connector that is deleted")
    func delete() async throws {
        let stage = DoorStage()
        try await stage.register("a")
        let answer = await stage.ask("mutation D($id: ID!) { deleteConnector(id: $id) }", #"{"id":"a"}"#)
        #expect(answer == #"{"data":{"deleteConnector":"a"}}"#)
        #expect(await stage.platform.connectors().isEmpty)
    }

    @Test("says what it is when something is asked that only a platform has")
    func unknownOperation() async {
        let stage = DoorStage()
        let answer = await stage.ask("query { indicators { edges { node { id } } } }")
        #expect(answer.contains("Weir does not answer `indicators`") && answer.contains("stixBundlePush") == false)
        #expect(answer.contains(#""name":"GRAPHQL_VALIDATION_FAILED""#) && answer.hasSuffix(#""data":null}"#))
    }
}
