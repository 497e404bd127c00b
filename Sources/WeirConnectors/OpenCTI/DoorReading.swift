internal import NIOCore
internal import WeirWorld

/// What was read of a request.
struct DoorContent: Sendable {
    /// JSON; without its bundle where that was streamed.
    var document: ByteBuffer
    var streamed: StreamedBundle?
}

/// Reads the body of one request: short ones whole, the bundle of a long one straight to the platform.
struct DoorReading<Chunks: AsyncIteratorProtocol> where Chunks.Element == ByteBuffer, Chunks.Failure == any Error {
    private var chunks: Chunks
    private let bundleMost: Int
    private let memory: DoorMemory
    /// Bytes of this request that count in `memory`.
    private(set) var gatheredBytes = 0

    init(_ chunks: Chunks, bundleMost: Int, memory: DoorMemory) {
        self.chunks = chunks
        self.bundleMost = bundleMost
        self.memory = memory
    }

    private mutating func next() async throws(GraphProblem) -> ByteBuffer? {
        do {
            return try await chunks.next(isolation: #isolation)
        } catch {
            throw GraphProblem(.badInput, "The request broke off.")
        }
    }

    mutating func read(_ platform: any ConnectorPlatform, deadline: Moment) async throws(GraphProblem) -> DoorContent {
        var gathered = ByteBuffer()
        while let chunk = try await next() {
            gathered.writeImmutableBuffer(chunk)
            count(chunk.readableBytes)
            if gathered.readableBytes > memory.gatherMost {
                return try await readOn(gathered, platform, deadline: deadline)
            }
        }
        return DoorContent(document: gathered)
    }

    private mutating func count(_ bytes: Int) {
        gatheredBytes += bytes
        memory.take(bytes)
    }

    /// Counts what was kept of a long request besides its bundle: a state, mostly.
    private mutating func keep(_ bytes: Int, restBytes: Int) throws(GraphProblem) {
        guard restBytes <= OpenCTIDoor.gatherMost || !memory.isCrowded else {
            throw GraphProblem(
                .stopped, "Weir has too many long requests in memory; send this one again in a minute.")
        }
        count(bytes)
    }

    private mutating func readOn(
        _ gathered: ByteBuffer, _ platform: any ConnectorPlatform, deadline: Moment
    ) async throws(GraphProblem) -> DoorContent {
        var body = PushBody(restMost: OpenCTIDoor.restMost, structureMost: OpenCTIDoor.gatherMost)
        var streamed: StreamedBundle?
        do throws(GraphProblem) {
            var byteCount = 0
            var chunk: ByteBuffer? = gathered
            while let bytes = chunk {
                let kept = body.rest.readableBytes
                let pieces = try body.take(bytes)
                try keep(body.rest.readableBytes - kept, restBytes: body.rest.readableBytes)
                for piece in pieces {
                    do throws(ConnectorFailure) {
                        switch piece {
                        case .begin(let connector):
                            let head = BundleHead(connector: connector, encoding: .stix)
                            streamed = StreamedBundle(
                                connector: connector, reception: try await platform.beginPush(head, deadline: deadline))
                        case .bytes(let content):
                            byteCount += content.readableBytes
                            guard byteCount <= bundleMost else { throw DoorReading.tooLong(bundleMost) }
                            try await streamed?.write(content)
                        case .end: break
                        }
                    } catch {
                        throw OpenCTISchema.explain(error)
                    }
                }
                chunk = try await next()
            }
        } catch {
            await streamed?.abandon()
            throw error
        }
        guard streamed != nil || !body.hasBundle else {
            throw GraphProblem(.badInput, "The variable `connectorId` is missing: whose is the bundle?")
        }
        return DoorContent(document: body.rest, streamed: streamed)
    }

    private static func tooLong(_ most: Int) -> ConnectorFailure {
        ConnectorFailure(
            .invalid, "The bundle is longer than \(most) bytes: send it in parts (helper.send_stix2_bundle splits).")
    }
}
