internal import NIOCore
import Synchronization

/// A ping that came before, byte for byte, and what it was answered. From one run to the next a connector sends the
/// same every 40 s: reading and checking it anew would be most of what a ping costs.
struct RepeatedPing: Sendable {
    let id: ConnectorID
    let state: String
    let report: ConnectorReport
    /// Good for as long as the connector's state is what the ping brings.
    let answer: ByteBuffer

    /// - Returns: `nil` where the answer says more than what the ping brought, or something else.
    init?(_ document: GraphDocument, operationName: String?, variables: GraphValue, answer: GraphAnswer) {
        guard answer.problems.isEmpty, let operation = try? document.operation(named: operationName),
            operation.selections.count == 1, case .field(let ping)? = operation.selections.first,
            ping.name == "pingConnector", ping.isPlain, ping.selections.allSatisfy(RepeatedPing.isEcho),
            let variables = try? GraphCoercion.variables(of: operation, given: variables)
        else { return nil }
        var arguments: [String: GraphValue] = [:]
        for argument in ping.arguments {
            arguments[argument.name] = try? GraphCoercion.resolve(argument.value, variables)
        }
        guard let id = arguments["id"]?.text, let state = arguments["state"]?.text,
            let report = try? OpenCTISchema.report(arguments["connectorInfo"] ?? .null),
            let answered = answer.data?["pingConnector"]?["connector_state"]?.text, !state.isDifferent(from: answered)
        else { return nil }
        self.id = id
        self.state = state
        self.report = report
        self.answer = answer.value.json
    }

    /// A field of the answer that the ping itself decides.
    private static func isEcho(_ selection: GraphSelection) -> Bool {
        guard case .field(let field) = selection, field.isPlain else { return false }
        switch field.name {
        case "id", "connector_state", "connector_info": return true
        default: return false
        }
    }
}

extension GraphFieldNode {
    /// Called by its own name, whatever the variables are.
    fileprivate var isPlain: Bool {
        alias == nil && directives.isEmpty
            && selections.allSatisfy { selection in
                if case .field(let field) = selection { field.isPlain } else { false }
            }
    }
}

/// The pings that came lately, by their bytes. Bounded; when it is full, it starts again from nothing.
final class RepeatedPings: Sendable {
    /// Bytes of requests and answers: room for some 20,000 connectors.
    static let bytesMost = 32 * 1_024 * 1_024
    /// Longer requests are read each time.
    static let requestMost = 4 * 1_024

    private struct Memory {
        var pings: [ByteBuffer: RepeatedPing] = [:]
        var bytes = 0
    }

    private let memory = Mutex(Memory())

    func ping(_ request: ByteBuffer) -> RepeatedPing? {
        guard request.readableBytes <= Self.requestMost else { return nil }
        return memory.withLock { $0.pings[request] }
    }

    func remember(_ ping: RepeatedPing, for request: ByteBuffer) {
        guard request.readableBytes <= Self.requestMost else { return }
        let bytes = request.readableBytes + ping.answer.readableBytes
        memory.withLock { memory in
            if memory.bytes + bytes > Self.bytesMost { memory = Memory() }
            if memory.pings.updateValue(ping, forKey: request) == nil { memory.bytes += bytes }
        }
    }
}
