package layout

// OpenBytes is [OpenFile] of a file's content.
func OpenBytes(content []byte) (*File, error) {
	s := &shard{path: "content", rows: &shardRows{}, close: func() error { return nil }}
	if err := s.read(content, newPictureCache(pictureCacheBytes)); err != nil {
		return nil, err
	}
	return s.file()
}
