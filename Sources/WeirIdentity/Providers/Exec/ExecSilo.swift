import WeirExpressions
package import WeirWorld

/// Any program as a silo. It is started for each scan, read and write with one word more (`scan`, `read`, `write`),
/// gets one JSON object on standard input and answers with JSON objects, one a line, on standard output. What it says
/// on standard error stands in the message when it fails. See docs/guide/identity.md for the whole of it.
///
/// ```
/// scan   {"type":"user","since":null}
///        {"object":{"anchor":"7","name":"ann","attributes":{"mail":["a@x"],"cn":"Ann"}}}
///        {"gone":"6"}                              in a delta: is deleted
///        {"refused":{"place":"line 9","reason":"…"}}
///        {"end":{"mark":"2026-11-22T05:00:00Z"}}   the last line; without it nothing is concluded
/// read   {"type":"user","anchor":"7","name":"ann"}
///        {"object":{…}} or {"end":{}} where it is not there
/// write  {"type":"user","operation":"modify","anchor":"7","name":"ann","new_name":null,
///         "edits":[{"attribute":"mail","removes":[],"adds":["b@x"],"replace":false}],"secrets":{}}
///        {"written":{"anchor":"7"}}, {"already":{"anchor":"7"}}, {"refused":{"code":"…","text":"…"}} or
///        {"failed":{…}} where it may be tried again; no answer means that nobody knows
/// ```
package final class ExecSilo: SiloProvider {
    package struct Layout: Sendable {
        package var command: [String]
        /// For one run. Default: 10 minutes.
        package var timeout = Duration.seconds(600)
        package var delta = false
        package var deltaDeletes = false
        package var schemas: [String: ObjectSchema] = [:]
        /// What the program gets of an environment.
        package var environment: [String: String] = [:]

        package init(command: [String]) { self.command = command }
    }

    package let abilities: SiloAbilities
    private let layout: Layout
    private let world: World

    package init(_ layout: Layout, isReadOnly: Bool = false, world: World) {
        self.layout = layout
        self.world = world
        abilities = SiloAbilities(delta: layout.delta, deltaDeletes: layout.deltaDeletes, writes: !isReadOnly)
    }

    package func schema(of kind: ObjectKind) async -> ObjectSchema { layout.schemas[kind.type] ?? ObjectSchema() }
    package func scope(of kind: ObjectKind) -> String { "exec " + layout.command.joined(separator: " ") }

    private var shown: String { layout.command.first ?? "" }

    // MARK: Talking

    /// Starts the program on a thread of its own; the lane ends with the call.
    private struct Talk: Sendable {
        let call: ProgramCall
        let lane: any BlockingLane
        let end: Moment
        let time: any TimeSource

        func lines() async throws -> [[UInt8]] {
            let left = (end - time.now).components.seconds
            let milliseconds = Int32(clamping: max(left, 0) * 1_000)
            let call = call
            return try await lane.run { try call.lines(within: milliseconds) }
        }

        func finish(kill: Bool) async -> Int32 {
            let call = call
            let code = (try? await lane.run { call.end(kill: kill) }) ?? -1
            lane.close()
            return code
        }
    }

    private func start(_ verb: String, _ request: ValueMap) async throws(ScanFailure) -> Talk {
        let lane = world.blocking.lane("exec-silo")
        let (words, environment) = (layout.command + [verb], layout.environment)
        let bytes = Array((Value.map(request).jsonText + "\n").utf8)
        do {
            let call = try await lane.run { try ProgramCall(words, environment: environment, request: bytes) }
            return Talk(call: call, lane: lane, end: world.time.now + layout.timeout, time: world.time)
        } catch {
            lane.close()
            throw failure(error)
        }
    }

    private func failure(_ error: any Error) -> ScanFailure {
        if let failure = error as? ScanFailure { return failure }
        guard let failure = error as? ProgramCall.Failure else {
            return ScanFailure(code: "exec", text: "\(shown): \(error)", isPassing: true)
        }
        return ScanFailure(code: failure.code, text: "\(shown): \(failure.text)", isPassing: failure.isPassing)
    }

    /// The program's lines as objects of JSON, until `body` is content.
    private func talk(
        _ verb: String, _ request: ValueMap, _ body: ([ValueMap]) async throws -> Bool
    ) async throws(ScanFailure) {
        let talk = try await start(verb, request)
        var isDone = false
        do {
            while !isDone {
                let lines = try await talk.lines()
                if lines.isEmpty { break }
                isDone = try await body(lines.filter { !$0.isEmpty }.map { try Self.object($0) })
            }
        } catch {
            _ = await talk.finish(kill: true)
            throw failure(error)
        }
        // A program that has said its last word is given the time to end by itself: its output is read to the end.
        if isDone { while let more = try? await talk.lines(), !more.isEmpty {} }
        let code = await talk.finish(kill: world.time.now >= talk.end)
        guard code == 0, isDone else {
            throw ScanFailure(
                code: code == 0 ? "not_ended" : "exit_\(code)",
                text: "\(shown) \(verb) ended with \(code)\(isDone ? "" : " and did not say its last word")"
                    + talk.call.lastWords, isPassing: true)
        }
    }

    private static func object(_ line: [UInt8]) throws -> ValueMap {
        guard case .map(let map)? = line.withUnsafeBytes({ Value(json: $0) }) else {
            throw ScanFailure(
                code: "bad_answer",
                text: "the program wrote a line that is no JSON object: "
                    + String(decoding: line.prefix(80), as: UTF8.self), isPassing: false)
        }
        return map
    }

    private static func map(_ pairs: KeyValuePairs<String, Value>) -> ValueMap { ValueMap(pairs) }
    private static func text(_ text: String?) -> Value { text.map { .string($0) } ?? .null }

    private static func read(_ value: Value, _ kind: ObjectKind) throws -> SiloObject {
        guard case .map(let map) = value, case .string(let anchor)? = map["anchor"], !anchor.isEmpty else {
            throw ScanFailure(
                code: "bad_answer", text: "the program named an object without an anchor", isPassing: false)
        }
        var name = anchor
        if case .string(let given)? = map["name"], !given.isEmpty { name = given }
        var attributes: [String: [String]] = [:]
        if case .map(let given)? = map["attributes"] {
            for (at, key) in given.keys.enumerated() {
                guard case .string(let attribute) = key else { continue }
                attributes[attribute.lowercased()] = values(given.values[at])
            }
        }
        return SiloObject(
            kind: kind, anchor: anchor, name: name, attributes: attributes.filter { !$0.value.isEmpty })
    }

    private static func values(_ value: Value) -> [String] {
        switch value {
        case .list(let list): Set(list.flatMap { values($0) }).sorted()
        case .null: []
        default: SCIMResource.text(value).map { [$0] } ?? []
        }
    }

    // MARK: SiloProvider

    package func scan(
        _ request: ScanRequest, take: (RecordBatch) async throws -> Void
    ) async throws(ScanFailure) -> ScanEnd {
        var end = ScanEnd()
        var builder = RecordBuilder()
        try await talk("scan", Self.map(["type": .string(request.kind.type), "since": Self.text(request.since)])) {
            lines in
            var batch = RecordBatch()
            var isDone = false
            for line in lines {
                if let object = line["object"] {
                    let read = try Self.read(object, request.kind)
                    do throws(RecordRefusal) {
                        try builder.append(read, to: &batch)
                    } catch {
                        end.refused.append(RefusedRow(place: read.anchor, reason: error.reason))
                    }
                } else if case .string(let anchor)? = line["gone"] {
                    end.gone.append(anchor)
                } else if case .map(let row)? = line["refused"] {
                    let place = SCIMResource.text(row["place"]) ?? ""
                    end.refused.append(RefusedRow(place: place, reason: SCIMResource.text(row["reason"]) ?? ""))
                } else if case .map(let last)? = line["end"] {
                    end.mark = SCIMResource.text(last["mark"])
                    isDone = true
                } else if case .map(let problem)? = line["failed"] {
                    throw ScanFailure(
                        code: SCIMResource.text(problem["code"]) ?? "failed",
                        text: SCIMResource.text(problem["text"]) ?? "the program says that it failed", isPassing: true)
                }
            }
            if !batch.isEmpty { try await take(batch) }
            return isDone
        }
        end.refused = Array(end.refused.prefix(1_000))
        return end
    }

    package func read(
        _ kind: ObjectKind, anchor: String?, name: String
    ) async throws(ScanFailure) -> SiloObject? {
        var found: SiloObject?
        let request = Self.map([
            "type": .string(kind.type), "anchor": Self.text(anchor), "name": .string(name),
        ])
        try await talk("read", request) { lines in
            for line in lines {
                if let object = line["object"] {
                    found = try Self.read(object, kind)
                    return true
                }
                if line["end"] != nil { return true }
            }
            return false
        }
        return found
    }

    package func write(_ change: Change, secrets: [String: String]) async -> WriteAnswer {
        guard abilities.writes else { return .refused(code: "read_only", text: "\(shown) is only read") }
        var answer: WriteAnswer?
        do throws(ScanFailure) {
            try await talk("write", Self.request(change, secrets)) { lines in
                for line in lines {
                    if let found = Self.answer(line) {
                        answer = found
                        return true
                    }
                }
                return false
            }
        } catch {
            // Its answer counts though it did not end well; without one it may have done anything, unless it never ran.
            if answer == nil, error.code == "not_started" { return .failed(code: error.code, text: error.text) }
            return answer ?? .unknown(code: error.code, text: error.text)
        }
        return answer ?? .unknown(code: "not_ended", text: "\(shown) gave no answer")
    }

    private static func request(_ change: Change, _ secrets: [String: String]) -> ValueMap {
        func texts(_ values: [String]) -> Value { .list(values.map { .string($0) }) }
        var hidden = ValueMap()
        for (name, value) in secrets.sorted(by: { $0.key < $1.key }) { hidden[.string(name)] = .string(value) }
        return map([
            "type": .string(change.target.type), "operation": .string(change.operation.rawValue),
            "anchor": text(change.anchor), "name": .string(change.name), "new_name": text(change.newName),
            "edits": .list(
                change.edits.map { edit in
                    .map(
                        map([
                            "attribute": .string(edit.attribute), "removes": texts(edit.removes),
                            "adds": texts(edit.adds), "replace": .bool(edit.isReplaced),
                        ]))
                }),
            "secrets": .map(hidden),
        ])
    }

    private static func answer(_ line: ValueMap) -> WriteAnswer? {
        for verb in ["written", "already", "refused", "failed"] {
            guard case .map(let map)? = line[verb] else { continue }
            let anchor = SCIMResource.text(map["anchor"])
            let code = SCIMResource.text(map["code"]) ?? verb
            let text = SCIMResource.text(map["text"]) ?? ""
            switch verb {
            case "written": return .written(anchor: anchor)
            case "already": return .alreadySo(anchor: anchor)
            case "refused": return .refused(code: code, text: text)
            default: return .failed(code: code, text: text)
            }
        }
        return nil
    }
}
