import Foundation
import NIOCore

/// A receiver's answer as JSON. Only for answers, which are short and rare; never for events.
struct AnswerJSON {
    private let object: [String: Any]

    /// - Returns: `nil` when it is no JSON object.
    init?(_ body: ByteBuffer) {
        guard let object = try? JSONSerialization.jsonObject(with: Data(body.readableBytesView)) as? [String: Any]
        else { return nil }
        self.object = object
    }

    private init(_ object: [String: Any]) { self.object = object }

    func int(_ name: String) -> Int? {
        // Fractions are refused.
        (object[name] as? NSNumber).flatMap { Int(exactly: $0.doubleValue) }
    }

    func bool(_ name: String) -> Bool? { object[name] as? Bool }
    func text(_ name: String) -> String? { object[name] as? String }
    func object(_ name: String) -> AnswerJSON? { (object[name] as? [String: Any]).map { AnswerJSON($0) } }

    /// A list of objects with one key each, as the items of a bulk answer are: the values.
    func items(_ name: String) -> [AnswerJSON]? {
        guard let list = object[name] as? [Any] else { return nil }
        var items: [AnswerJSON] = []
        for entry in list {
            guard let outer = entry as? [String: Any], outer.count == 1,
                let inner = outer.values.first as? [String: Any]
            else { return nil }
            items.append(AnswerJSON(inner))
        }
        return items
    }
}
