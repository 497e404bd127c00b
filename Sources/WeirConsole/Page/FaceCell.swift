/// One value of a row that moves: where it stands, what it is called, and what it says now.
struct FaceCell: Sendable {
    /// First part of its element's id; the row's own id is the second.
    var key: String
    var label: String
    var text: String
    /// Class: `plain` or `full`.
    var tone = "plain"
}
