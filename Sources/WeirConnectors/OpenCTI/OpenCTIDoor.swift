package import NIOCore
package import WeirWorld

/// Where connectors written for OpenCTI come in: its GraphQL endpoint, as far as they use it.
///
/// A request is gathered when it has at most `gatherMost` bytes, fewer when many are held. The bundle of a longer one
/// goes to the platform while it comes in, so memory does not depend on its size; a long state is kept.
///
/// A push waits while its connector's gate is closed, at most `holdMost` from its arrival; then it is taken all the
/// same. It is never refused for want of room: a client gives up after 300 s, and any error makes it end its process.
package struct OpenCTIDoor: Sendable {
    package struct Settings: Sendable {
        /// What `about` says. Default: the newest release whose connectors were tried.
        package var version = "7.261026.0"
        /// Longest bundle, in bytes as the connector wrote it.
        package var bundleMost = 256_000_000
        /// Longest time that an answer is held. At most 240 s: clients wait for 300 s.
        package var holdMost = Duration.seconds(240)
        /// Bytes of requests in memory; from here on pushes over 16 KiB are taken as they come.
        package var gatheredMost = 64 * 1_024 * 1_024

        package init() {}
    }

    /// Bytes of a request that are gathered; also what a longer one may have outside of strings.
    package static let gatherMost = 256 * 1_024
    /// Bytes that a request may have besides its bundle: the longest state, each of its quotes escaped.
    static let restMost = 2 * Registry.stateBytesMost + gatherMost

    private let platform: any ConnectorPlatform
    private let world: World
    private let settings: Settings
    private let isAllowed: @Sendable (String) -> Bool
    private let executor: GraphExecutor
    private let documents = GraphDocumentCache()
    private let pings = RepeatedPings()
    private let memory: DoorMemory

    /// - Parameters:
    ///   - broker: where connectors publish; without one they can only send by the API.
    ///   - isAllowed: whether this bearer token (OPENCTI_TOKEN) may connect.
    package init(
        platform: any ConnectorPlatform, broker: (any BundleBroker)?, world: World, settings: Settings = Settings(),
        isAllowed: @escaping @Sendable (_ token: String) -> Bool
    ) {
        self.platform = platform
        self.world = world
        self.settings = settings
        self.isAllowed = isAllowed
        memory = DoorMemory(most: settings.gatheredMost)
        let schema = OpenCTISchema(platform: platform, broker: broker, world: world, version: settings.version)
        executor = GraphExecutor(schema: schema.schema, explain: OpenCTISchema.explain)
    }

    /// Answers one HTTP request at `/graphql`.
    ///
    /// - Parameters:
    ///   - header: the value of a header by its name; names are asked for in lower case.
    ///   - body: read as far as it is needed. The server must read on to its end: a client that is still sending
    ///     would not see the answer.
    package func answer(
        method: String, header: @Sendable (String) -> String?,
        body: some AsyncSequence<ByteBuffer, any Error> & Sendable
    ) async -> DoorAnswer {
        let arrived = world.time.now
        if let refusal = refusal(method: method, header: header) { return refusal }
        var reading = DoorReading(body.makeAsyncIterator(), bundleMost: settings.bundleMost, memory: memory)
        defer { memory.give(reading.gatheredBytes) }
        do throws(GraphProblem) {
            let deadline = arrived + min(settings.holdMost, .seconds(240))
            let content = try await reading.read(platform, deadline: deadline)
            var request = DoorRequest(deadline: deadline, streamed: content.streamed)
            if let ping = await repeated(content, &request) {
                return DoorAnswer(ping.answer, again: again(ping, Self.token(header)))
            }
            do throws(GraphProblem) {
                let answer = try await execute(content, request)
                await content.streamed?.abandon()
                return DoorAnswer(answer)
            } catch {
                await content.streamed?.abandon()
                throw error
            }
        } catch {
            return DoorAnswer(.problem(error), status: error.code == .tooLarge ? 413 : 200)
        }
    }

    /// A ping that came before, where all is as it was then. Where not, the request keeps what the platform said, and
    /// is executed.
    private func repeated(_ content: DoorContent, _ request: inout DoorRequest) async -> RepeatedPing? {
        guard content.streamed == nil, let ping = pings.ping(content.document) else { return nil }
        do throws(ConnectorFailure) {
            let record = try await platform.ping(ping.id, state: ping.state, report: ping.report)
            if let record, !ping.state.isDifferent(from: record.state) { return ping }
            request.pinged = .success(record)
        } catch {
            request.pinged = .failure(error)
        }
        return nil
    }

    private func again(_ ping: RepeatedPing, _ token: String?) -> (@Sendable () -> Bool)? {
        guard let token else { return nil }
        return { [platform, isAllowed] in
            isAllowed(token) && platform.pingAgain(ping.id, state: ping.state, report: ping.report)
        }
    }

    private func execute(_ content: DoorContent, _ request: DoorRequest) async throws(GraphProblem)
        -> GraphAnswer
    {
        let message: GraphValue
        do throws(JSONReader.Mistake) {
            message = try JSONReader.read(content.document)
        } catch {
            throw GraphProblem(
                .badInput, "The request is not JSON: \(error.message) (at byte \(error.offset)).")
        }
        guard message.elements == nil else {
            throw GraphProblem(.badInput, "Batches are not answered: send one request at a time.")
        }
        guard let query = message["query"]?.text else {
            throw GraphProblem(.badInput, "The request must be a JSON object with `query` and `variables`.")
        }
        var variables = message["variables"] ?? .null
        if content.streamed != nil, case .object(var members) = variables {
            members.append(.init(name: "bundle", value: .streamed))
            variables = .object(members)
        }
        let document = try documents.document(query)
        let name = message["operationName"]?.text
        let answer = try await executor.execute(document, operationName: name, variables: variables, request: request)
        if let ping = RepeatedPing(document, operationName: name, variables: variables, answer: answer) {
            pings.remember(ping, for: content.document)
        }
        return answer
    }

    private static func token(_ header: @Sendable (String) -> String?) -> String? {
        let words = header("authorization")?.split(separator: " ", maxSplits: 1) ?? []
        return words.count == 2 && words[0].lowercased() == "bearer" ? String(words[1]) : nil
    }

    private func refusal(method: String, header: @Sendable (String) -> String?) -> DoorAnswer? {
        guard method == "POST" else {
            var answer = DoorAnswer(
                .problem(GraphProblem(.badInput, "Send GraphQL requests by POST, as JSON.")), status: 405)
            answer.headers.append(("Allow", "POST"))
            return answer
        }
        guard let token = Self.token(header), isAllowed(token) else {
            let message =
                header("authorization") == nil
                ? "You must be logged in to do this: no token was sent. Set OPENCTI_TOKEN to a token of Weir."
                : "You must be logged in to do this: Weir does not know this token. Look at OPENCTI_TOKEN."
            var answer = DoorAnswer(.problem(GraphProblem(.authRequired, message)), status: 401)
            answer.headers.append(("WWW-Authenticate", "Bearer"))
            return answer
        }
        let type = header("content-type") ?? "application/json"
        if type == "application/json", header("content-encoding") == nil { return nil }
        return refusal(type: type.lowercased(), encoding: header("content-encoding")?.lowercased() ?? "identity")
    }

    private func refusal(type: String, encoding: String) -> DoorAnswer? {
        guard !type.hasPrefix("multipart/") else {
            return DoorAnswer(
                .problem(
                    GraphProblem(
                        .functional, "Weir takes bundles, not files: uploads (validate before import) are not there.")))
        }
        guard type.contains("json"), encoding == "identity" else {
            return DoorAnswer(
                .problem(GraphProblem(.badInput, "Send requests as application/json, not compressed.")), status: 415)
        }
        return nil
    }
}

/// What goes back over HTTP.
package struct DoorAnswer: Sendable {
    package var status: Int
    package var headers: [(name: String, value: String)]
    package var body: ByteBuffer
    /// For when the same request comes once more, byte for byte: does what it asks, and says true where the answer is
    /// the same again. Where it says false, nothing was done, and the request is to be answered as any other.
    package var again: (@Sendable () -> Bool)?

    init(_ answer: GraphAnswer, status: Int = 200) { self.init(answer.value.json, status: status) }

    init(_ body: ByteBuffer, status: Int = 200, again: (@Sendable () -> Bool)? = nil) {
        self.status = status
        headers = [("Content-Type", "application/json; charset=utf-8"), ("Cache-Control", "no-store")]
        self.body = body
        self.again = again
    }
}
